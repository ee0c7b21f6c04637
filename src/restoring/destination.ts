/**
 * The directory that a restore writes, looked at before anything is touched.
 *
 * Invariant: no directory is written to in which a server runs, or that lies in another data directory, or that holds files of
 * somebody else; and what was there is kept beside it, unless it is to be written over. What a restore that was killed left is
 * neither kept nor in the way: its directory is gone on with, and its server may be ended (leftover.ts). One that was promoted is data
 * like any other.
 */
import { accessSync, constants, existsSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { whyNoRoom } from '../core/backups/room.ts';
import { readControl } from '../postgres/control-file.ts';
import { findServer } from '../postgres/postmaster-file.ts';
import { isAlive } from '../process/identity.ts';
import { diskOf, usedBytes } from './disk.ts';
import { runsInstance } from './instance-record.ts';
import { isInRecovery } from './leftover.ts';
import { type RestoreMark, readMark } from './mark.ts';
import { tablespacesOf } from './tablespace-links.ts';

export interface Destination {
  /** Absolute, links resolved as far as it exists. */
  readonly into: string;
  readonly found: 'nothing' | 'half-restored' | 'data-directory';
  /** `null`: it was not looked at, since something else is against it. */
  readonly freeBytes: number | null;
  /** What is against it, a line each. */
  readonly obstacles: readonly string[];
}

export interface DestinationFacts {
  readonly into: string;
  readonly delta: boolean;
  /** What the restored database takes, with its WAL. */
  readonly neededBytes: number;
  readonly signal?: AbortSignal | undefined;
  /** Where the server that recovers it has its record. */
  instanceOf(into: string): string;
  /** Root makes what is missing on the way, and whoever looks has not its rights. */
  readonly parentsByRoot: boolean;
  /** Data directories that belong to nodes; none of them is written to, and none that lies in one or around one. */
  readonly live: readonly string[];
}

/** Makes nothing. */
export async function examineDestination(facts: DestinationFacts): Promise<Destination> {
  const into = resolved(facts.into);
  const parent = dirname(into);
  const obstacles = [...placeObstacles(into, facts)];
  if (obstacles.length > 0) return { into, found: 'nothing', freeBytes: null, obstacles };
  const there = nearest(parent);
  const isMade = there !== parent && facts.parentsByRoot;
  if (!isMade && !isWritable(there)) {
    const text = `${there} may not be written to by this user: the restored files are to be PostgreSQL's`;
    return { into, found: 'nothing', freeBytes: null, obstacles: [text] };
  }
  const found = contentOf(into, facts);
  if (found === 'foreign') {
    return { into, found: 'nothing', freeBytes: null, obstacles: [`${into} holds files that are no data directory`] };
  }
  const disk = await diskOf(there);
  const isWrittenOver = found === 'half-restored' || (found === 'data-directory' && facts.delta);
  const present = isWrittenOver ? await usedBytes([into, tablespacesOf(into)], facts.signal) : 0;
  const because = whyNoRoom(disk, facts.neededBytes, present);
  if (because !== null) obstacles.push(`no room to restore into ${into}: ${because}`);
  return { into, found, freeBytes: disk.freeBytes, obstacles };
}

/** Absolute, links resolved as far as it exists. */
export function resolved(path: string): string {
  const whole = resolve(path);
  if (existsSync(whole)) return realpathSync(whole);
  const parent = dirname(whole);
  return parent === whole ? whole : join(resolved(parent), basename(whole));
}

function isWithin(inner: string, outer: string): boolean {
  const way = relative(outer, inner);
  return way === '' || (!way.startsWith('..') && !way.startsWith('/'));
}

function* placeObstacles(into: string, { instanceOf, live }: DestinationFacts): Generator<string> {
  for (const each of live.map(resolved)) {
    if (isWithin(into, each)) yield `${into} is the data directory of a node, or lies in it`;
    else if (isWithin(each, into)) yield `${into} is around ${each}, the data directory of a node`;
  }
  for (let above = dirname(into); above !== dirname(above); above = dirname(above)) {
    if (existsSync(join(above, 'PG_VERSION'))) yield `${into} lies in another data directory, ${above}`;
  }
  const mark = readMark(into);
  const owner = mark === null || isFinished(mark) ? null : mark.owner;
  if (owner !== null && owner.pid !== process.pid && isAlive(owner)) {
    yield `process ${owner.pid} restores into ${into} right now`;
  } else if (existsSync(into) && findServer(into, join(into, 'postmaster.pid')).alive !== 'nothing') {
    if (mark?.state !== 'recovering' || !runsInstance(instanceOf(into), into)) yield `a server runs in ${into}`;
  }
}

/** What is there of the way to it. */
function nearest(directory: string): string {
  return existsSync(directory) || directory === dirname(directory) ? directory : nearest(dirname(directory));
}

function isWritable(directory: string): boolean {
  try {
    accessSync(directory, constants.W_OK | constants.X_OK);
    return statSync(directory).isDirectory();
  } catch {
    return false; // whatever the reason
  }
}

function contentOf(into: string, { instanceOf }: DestinationFacts): Destination['found'] | 'foreign' {
  if (isHalfRestored(into, instanceOf(into))) return 'half-restored';
  if (!existsSync(into)) return 'nothing';
  if (!statSync(into).isDirectory()) return 'foreign';
  if (readdirSync(into).length === 0) return 'nothing';
  return readControl(join(into, 'global', 'pg_control')).found === 'control' ? 'data-directory' : 'foreign';
}

function isFinished({ state }: RestoreMark): boolean {
  return state === 'restored' || state === 'recovered';
}

/** What was there is put aside first: until it is, it is what lies there. */
function isHalfRestored(into: string, instance: string): boolean {
  const mark = readMark(into);
  if (mark === null || isFinished(mark) || !existsSync(mark.kept ?? into)) return false;
  return !isPromoted(into) || runsInstance(instance, into);
}

/**
 * pgBackRest puts pg_control in place last, when there is something to recover by: without that it was promoted, and may have served
 * since. Only while the server of the restore still runs in it, nobody else had it.
 */
function isPromoted(into: string): boolean {
  return readControl(join(into, 'global', 'pg_control')).found === 'control' && !isInRecovery(into);
}
