/**
 * Reads a topology that came over the wire, by hand, since this package depends on nothing.
 *
 * Invariant: what it returns holds exactly the fields of `Topology`, each of its declared type. Fields it doesn't know
 * are dropped, so that a newer agent may say more. Refuses other versions: their meaning is not known here.
 */
import type { Topology, TopologyMember, TopologyPause, TopologyPrimary, TopologyStandby } from './topology.ts';

/** The path names the first field that is not as it should be, such as `standbys[1].port`. */
export class TopologyError extends Error {
  readonly path: string;

  constructor(path: string, expected: string) {
    super(`topology: ${path === '' ? 'it' : path} should be ${expected}`);
    this.name = 'TopologyError';
    this.path = path;
  }
}

type Fields = Readonly<Record<string, unknown>>;

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function fields(value: unknown, path: string): Fields {
  if (!isFields(value)) throw new TopologyError(path, 'an object');
  return value;
}

function list(value: unknown, path: string): readonly unknown[] {
  if (!Array.isArray(value)) throw new TopologyError(path, 'a list');
  return value;
}

export function text(value: unknown, path: string): string {
  if (typeof value !== 'string' || value === '') throw new TopologyError(path, 'a text that is not empty');
  return value;
}

function textOrNull(value: unknown, path: string): string | null {
  return value === null ? null : text(value, path);
}

export function truth(value: unknown, path: string): boolean {
  if (typeof value !== 'boolean') throw new TopologyError(path, 'true or false');
  return value;
}

function count(value: unknown, path: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    throw new TopologyError(path, 'a whole number, 0 or more');
  }
  return value;
}

function countOrNull(value: unknown, path: string): number | null {
  return value === null ? null : count(value, path);
}

/** A measured figure: 0 or more, and finite. */
export function figureOrNull(value: unknown, path: string): number | null {
  if (value === null) return null;
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 0) {
    throw new TopologyError(path, 'a number, 0 or more, or null');
  }
  return value;
}

function port(value: unknown, path: string): number {
  const number = count(value, path);
  if (number < 1 || number > 65_535) throw new TopologyError(path, 'a port from 1 to 65535');
  return number;
}

function member(from: Fields, path: string): TopologyMember {
  return {
    node: text(from.node, `${path}.node`),
    hostName: text(from.hostName, `${path}.hostName`),
    address: text(from.address, `${path}.address`),
    port: port(from.port, `${path}.port`),
    // An agent of an earlier version says nothing of these two.
    timeline: countOrNull(from.timeline ?? null, `${path}.timeline`),
    datacenter: textOrNull(from.datacenter ?? null, `${path}.datacenter`),
  };
}

function primary(value: unknown): TopologyPrimary | null {
  if (value === null) return null;
  const from = fields(value, 'primary');
  return { ...member(from, 'primary'), writable: truth(from.writable, 'primary.writable') };
}

function standby(value: unknown, index: number): TopologyStandby {
  const path = `standbys[${index}]`;
  const from = fields(value, path);
  return {
    ...member(from, path),
    streaming: truth(from.streaming, `${path}.streaming`),
    lagBytes: figureOrNull(from.lagBytes, `${path}.lagBytes`),
  };
}

function pause(value: unknown): TopologyPause | null {
  if (value === null) return null;
  const from = fields(value, 'pause');
  return {
    operation: text(from.operation, 'pause.operation'),
    term: count(from.term, 'pause.term'),
    without: list(from.without, 'pause.without').map((name, index) => text(name, `pause.without[${index}]`)),
    limitMs: count(from.limitMs, 'pause.limitMs'),
  };
}

/**
 * The topology in a value parsed from JSON. Ages are in ms, lags in bytes (see `Topology`).
 * Throws `TopologyError`, which names the field, when anything is missing or of another type.
 */
export function parseTopology(value: unknown): Topology {
  const from = fields(value, '');
  if (from.version !== 1) throw new TopologyError('version', '1');
  return {
    version: 1,
    cluster: text(from.cluster, 'cluster'),
    from: text(from.from, 'from'),
    term: count(from.term, 'term'),
    primary: primary(from.primary),
    // An agent of an earlier version says nothing of it.
    readOnly: from.readOnly === undefined ? false : truth(from.readOnly, 'readOnly'),
    standbys: list(from.standbys, 'standbys').map(standby),
    pause: pause(from.pause),
    ended: textOrNull(from.ended, 'ended'),
    ageMs: figureOrNull(from.ageMs, 'ageMs'),
  };
}
