/**
 * What an app node's agent asks of the pooler beside it (pgbouncer 1.18 and later).
 *
 * Pause means: no server connection of a pausable alias is in a transaction and none will get one until resumed;
 * waiting clients stay connected. Pause state dies with the pooler's process.
 */
import type { PauseFigures, PoolerBlocker } from '../core/cluster-view.ts';
import type { PoolerAlias, PoolerConfiguration, PoolerGate } from '../core/pooler-configuration.ts';
import type { ReachAnswer } from '../core/rules/pooler-memory.ts';
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
    };

export interface HoldOptions extends ActOptions {
  /** The hold is over by then. */
  readonly limitMs: number;
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
  /** Points at the new configuration and resumes, back to back, then verifies that nothing is paused. */
  resume(configuration: PoolerConfiguration, options: ActOptions): Promise<Omit<PauseFigures, 'operation' | 'drainMs'>>;
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
