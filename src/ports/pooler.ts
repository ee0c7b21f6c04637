/**
 * What an app node's agent asks of the pooler beside it (pgbouncer 1.18 and later).
 *
 * Pause means: no server connection of a pausable alias is in a transaction and none will get one until resumed;
 * waiting clients stay connected. Pause state dies with the pooler's process.
 */

import type { PoolerAlias, PoolerConfiguration, PoolerGate } from '../core/pooler-configuration.ts';
import type { PauseFigures, PoolerBlocker } from '../core/pooler-report.ts';
import type { ReachAnswer } from '../core/rules/pooler-memory.ts';
import type { ApplicationName } from '../core/spec.ts';
import type { ActOptions } from './postgres.ts';

export type { PoolerAlias, PoolerConfiguration, PoolerGate };

export type LocalPooler =
  | { readonly state: 'unknown'; readonly because: string }
  | { readonly state: 'missing-binaries'; readonly because: string }
  | { readonly state: 'stopped' }
  | {
      readonly state: 'running';
      readonly pid: number;
      readonly version: string;
      /** Aliases that are paused now. */
      readonly paused: readonly string[];
      readonly clients: number;
      readonly waiting: number;
      /** Aliases with server connections of an earlier configuration: they are closed when they are free. */
      readonly straggling: readonly string[];
      /** Clients that logged in by the password before; of each application that has one. */
      readonly formerClients: Readonly<Record<ApplicationName, number>>;
    };

export interface HoldOptions extends ActOptions {
  /** The hold is over by then. */
  readonly limitMs: number;
}

/** Where a server listens. */
export interface ServerPlace {
  readonly address: string;
  readonly port: number;
}

export interface ResumeOptions extends ActOptions {
  /** Clients have waited for as long as they may: they go on, if need be towards where the pooler has led until now. */
  readonly isOverdue: boolean;
}

export interface Pooler {
  /** Never throws and never hangs. */
  observe(withinMs: number): Promise<LocalPooler>;
  /**
   * Writes the configuration and the credentials; starts the pooler, adopts a running one, or reloads it when something
   * changed. Answers whether anything changed. Throws POOLER_BINARIES_MISSING, PORT_IN_USE, POOLER_FAILED,
   * POOLER_TIMEOUT, CONFIG_INVALID.
   */
  configure(configuration: PoolerConfiguration, gate: PoolerGate, options: ActOptions): Promise<boolean>;
  /**
   * Pauses every alias that writes (of the last configuration) and returns when all of them are drained; pausing what
   * is paused already is right, and waits for the drain as well. While it waits, `onBlockers` is told which server
   * connections still hold a transaction. On cancel or time-out everything is resumed; POOLER_FAILED means that the
   * pooler itself was lost.
   */
  pause(
    onBlockers: (blockers: readonly PoolerBlocker[]) => void,
    options: ActOptions,
  ): Promise<{ readonly drainMs: number }>;
  /**
   * From its return on no client of an alias that writes gets a server connection; they wait. Drains nothing: connections
   * that hold a transaction are let be, idle ones are closed. Throws POOLER_FAILED, POOLER_TIMEOUT; then nothing is held.
   */
  hold(configuration: PoolerConfiguration, options: HoldOptions): Promise<void>;
  /**
   * Points at the new configuration and resumes, back to back, then verifies that nothing is paused. Throws
   * POOLER_FILES_FAILED when the configuration can't be written: before it resumes, or after it when that is overdue.
   */
  resume(
    configuration: PoolerConfiguration,
    options: ResumeOptions,
  ): Promise<Omit<PauseFigures, 'operation' | 'drainMs'>>;
  /**
   * Ends what connections of aliases that write still carry to a server that is primary no more and does not answer; who
   * waits is served meanwhile. Leaves those be that can't be ended without harm to others, and all of them when the server
   * is not known (`null`). Returns when none is left, or when cancelled; answers how many there were. Throws POOLER_FAILED,
   * POOLER_TIMEOUT. One at a time.
   */
  abandon(former: ServerPlace | null, signal: AbortSignal): Promise<number>;
  /** The files of its certificate are new: a running pooler takes them for its next connections. Throws POOLER_FAILED, POOLER_TIMEOUT. */
  renewCertificate(options: ActOptions): Promise<void>;
  /** Is somebody listening there? Never throws. */
  reach(address: string, port: number, withinMs: number): Promise<ReachAnswer>;
  /** Calls back when the pooler had something to complain of: a hint to look after its server, no more. */
  onStir(listener: () => void): () => void;
  /** Calls back each time the pooler's process, or the connection to it, was lost; not for `stop` and `close`. */
  onLost(listener: () => void): () => void;
  stop(options: ActOptions): Promise<void>;
  /** Lets go of the pooler, which goes on serving. */
  close(): Promise<void>;
}
