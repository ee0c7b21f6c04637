/**
 * What a `ClusterPool` is made of, and what it is when nothing is said. Pure.
 *
 * Invariant: whatever `pg.Pool` takes is passed on to it; a wrong option of ours is an OptionError that names it, before
 * anything is connected.
 */
import type { PoolConfig } from 'pg';
import { OptionError } from './errors.ts';
import type { Router } from './routing/router.ts';
import type { Guard } from './servers/server-connections.ts';
import type { Runtime } from './timing/runtime.ts';

export type OnReadOnly = 'fail' | 'wait' | 'drop';

/** How a session's reads relate to its writes. `pin`: to the primary for that long after a write, in ms. */
export type Consistency = 'causal' | 'any' | { readonly pinForMs: number };

export interface ServerOptions extends PoolConfig {
  readonly datacenter?: string;
  /** How writes by reading sessions are kept from landing. Default: `startup`. */
  readonly guard?: Guard;
}

export interface ClusterPoolOptions extends PoolConfig {
  /**
   * Servers to read from, by a name of your choice: URLs or options of `pg`; what is not said is as for the pool itself. Give
   * the primary here as well where it should serve reads without the two round trips of a transaction.
   */
  readonly replicas?: Readonly<Record<string, string | ServerOptions>>;
  /**
   * The directory of an application that Understudy keeps, such as `/etc/understudy/apps/shop`: login, aliases of every
   * database node, and the agent's socket. Read again for each connection, since passwords are rotated.
   */
  readonly application?: string;
  /** The socket on which the agent of this host tells the topology; `null`: don't follow it. */
  readonly topologySocket?: string | null;
  /** Where this process runs; replicas of the same datacenter are read first. */
  readonly datacenter?: string;
  /** Default: `roundRobin()`. */
  readonly router?: Router;
  /** For reads that don't say it themselves. Default: no limit. */
  readonly maxLagMs?: number;
  readonly maxLagBytes?: number;
  /** Of sessions that don't say it themselves. Default: `causal`. */
  readonly consistency?: Consistency;
  /** How long a causal read waits for a replica that is just about to have what is needed, in ms. Default: 20. */
  readonly causalWaitMs?: number;
  /** What a transaction does while nobody may write. Default: `fail`. */
  readonly onReadOnly?: Exclude<OnReadOnly, 'drop'>;
  /** How long a transaction is tried, all attempts and waits together, in ms. Default: 15,000. */
  readonly deadlineMs?: number;
  /** How long a read is tried, on one server after another, in ms. Default: 5,000. */
  readonly readDeadlineMs?: number;
  /** How often servers are asked where they are, in ms. Default: 1,000. */
  readonly probeEveryMs?: number;
  /** The table of outcomes, with its schema where needed. Default: `understudy_outcomes`. */
  readonly outcomeTable?: string;
  /** Time and chance: for tests. */
  readonly runtime?: Runtime;
}

export interface Settings {
  readonly maxLagMs: number | null;
  readonly maxLagBytes: number | null;
  readonly consistency: Consistency;
  readonly causalWaitMs: number;
  readonly onReadOnly: OnReadOnly;
  readonly deadlineMs: number;
  readonly readDeadlineMs: number;
  readonly probeEveryMs: number;
  readonly probeWithinMs: number;
  readonly outcomeTable: string;
  readonly datacenter: string | null;
}

/** Throws OptionError. */
export function settingsOf(options: ClusterPoolOptions): Settings {
  const probeEveryMs = duration('probeEveryMs', options.probeEveryMs, 1_000, 10);
  if (options.onReadOnly !== undefined && !['fail', 'wait'].includes(options.onReadOnly)) {
    throw new OptionError('onReadOnly', "'fail' or 'wait'; 'drop' is for single transactions");
  }
  if (options.router !== undefined && typeof options.router?.choose !== 'function') {
    throw new OptionError('router', 'an object with a function choose');
  }
  textOrNothing('outcomeTable', options.outcomeTable);
  textOrNothing('datacenter', options.datacenter);
  textOrNothing('application', options.application);
  textOrNothing('topologySocket', options.topologySocket ?? undefined);
  return {
    maxLagMs: limit('maxLagMs', options.maxLagMs),
    maxLagBytes: limit('maxLagBytes', options.maxLagBytes),
    consistency: checkedConsistency(options.consistency ?? 'causal'),
    causalWaitMs: duration('causalWaitMs', options.causalWaitMs, 20, 0),
    onReadOnly: options.onReadOnly ?? 'fail',
    deadlineMs: duration('deadlineMs', options.deadlineMs, 15_000, 1),
    readDeadlineMs: duration('readDeadlineMs', options.readDeadlineMs, 5_000, 1),
    probeEveryMs,
    probeWithinMs: Math.max(1_000, probeEveryMs),
    outcomeTable: options.outcomeTable ?? 'understudy_outcomes',
    datacenter: options.datacenter ?? null,
  };
}

/** Throws OptionError. */
export function checkedConsistency(consistency: Consistency): Consistency {
  if (consistency === 'causal' || consistency === 'any') return consistency;
  if (typeof consistency === 'object' && consistency !== null) {
    return { pinForMs: duration('consistency.pinForMs', consistency.pinForMs ?? Number.NaN, 0, 0) };
  }
  throw new OptionError('consistency', "'causal', 'any' or { pinForMs }");
}

function textOrNothing(option: string, value: unknown): void {
  if (value !== undefined && (typeof value !== 'string' || value === '')) throw new OptionError(option, 'a text');
}

/** `null`: no limit. Throws OptionError. */
export function limit(option: string, value: number | undefined): number | null {
  return value === undefined ? null : figure(option, value, 0);
}

/** Timers of Node end at once when they are to last longer than this. */
const longestMs = 2 ** 31 - 1;

/** Throws OptionError. */
export function duration(option: string, value: number | undefined, otherwise: number, least: number): number {
  return value === undefined ? otherwise : Math.min(figure(option, value, least), longestMs);
}

function figure(option: string, value: number, least: number): number {
  if (typeof value !== 'number' || !Number.isFinite(value) || value < least) {
    throw new OptionError(option, `a number, ${least} or more`);
  }
  return value;
}
