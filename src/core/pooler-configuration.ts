/**
 * What a pooler is to serve: its aliases, and where each leads. Decided by rules/pooler.ts, written down by the adapter.
 */
import type { ApplicationName, PoolMode } from './spec.ts';

export interface PoolerAlias {
  /** What the application names as its database. */
  readonly name: string;
  readonly application: ApplicationName;
  readonly database: string;
  /** The login role at the server. */
  readonly role: string;
  /** Server addresses, tried in turn; never empty. */
  readonly addresses: readonly string[];
  readonly port: number;
  readonly poolSize: number;
  /** Does it reach the primary? Only these are paused. */
  readonly writes: boolean;
}

export interface PoolerConfiguration {
  readonly listenAddress: string;
  readonly port: number;
  readonly mode: PoolMode;
  readonly maxClients: number;
  readonly queryWaitTimeoutS: number;
  readonly aliases: readonly PoolerAlias[];
}

/**
 * What a pooler that has to be started does with its writing aliases: `shut` brings it up paused, so that no client
 * reaches a server before `resume`. A running pooler is left as it is.
 */
export type PoolerGate = 'open' | 'shut';
