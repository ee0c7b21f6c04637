/** What the executor works with: the ports, this node's identity, and where it tells what happened. */

import type { SyncSet } from '../core/durability.ts';
import type { KeptWalLimits } from '../core/kept-wal.ts';
import type { WalPiece, WalRequest } from '../core/last-words.ts';
import type { Outcome } from '../core/memory.ts';
import type { Instant, PromiseAnswer, PromiseRecord, PromiseRequest } from '../core/promise.ts';
import type { NodeName, Spec } from '../core/spec.ts';
import type { EventFacts, EventName } from '../events/catalogue.ts';
import type { Clock } from '../ports/clock.ts';
import type { CloneBases } from '../ports/clone-bases.ts';
import type { CredentialMaker } from '../ports/credentials.ts';
import type { Fence } from '../ports/fence.ts';
import type { Postgres, ServerConfiguration, Upstream } from '../ports/postgres.ts';
import type { Jobs } from './jobs.ts';
import type { PendingCredentials } from './pending-credentials.ts';
import type { StoreMirror } from './store-mirror.ts';

export interface ActionLog {
  info(facts: object, text: string): void;
  warn(facts: object, text: string): void;
  error(facts: object, text: string): void;
}

export interface ExecutionContext {
  readonly self: NodeName;
  readonly clock: Clock;
  readonly mirror: StoreMirror;
  readonly postgres: Postgres;
  readonly fence: Fence;
  readonly jobs: Jobs;
  readonly log: ActionLog;
  readonly signal: AbortSignal;
  /** Asks the agent of a primary that is down for a piece of its WAL. */
  askWal(node: NodeName, request: WalRequest, withinMs: number): Promise<WalPiece | null>;
  /** Throws when the spec does not name that node. */
  upstream(node: NodeName): Upstream;
  /** Where clones may begin besides the primary; `null`: nowhere. */
  bases(): CloneBases | null;
  /** Of the archive of the cluster's backups; `null`: there is none. */
  restoreCommand(spec: Spec): string | null;
  /** `sync`: the standbys that commits may wait for; without it those that are in force. */
  configuration(spec: Spec, sync?: SyncSet): ServerConfiguration;
  /**
   * Changes what this node has bound itself to, one change at a time; returns when the new record is durable, or `null`
   * when the change was refused.
   */
  bind(change: (record: PromiseRecord, now: Instant) => PromiseRecord | null): Promise<PromiseRecord | null>;
  /** Asks another node's agent for its promise. Throws when it can't be asked. */
  askPromise(node: NodeName, request: PromiseRequest, withinMs: number): Promise<PromiseAnswer>;
  readonly credentials: CredentialMaker;
  readonly pending: PendingCredentials;
  /** Of WAL that diverged. */
  readonly keptWal: KeptWalLimits;
  /** Asks another node's agent for a checkpoint of its server. */
  checkpointOn(node: NodeName, signal: AbortSignal): Promise<void>;
  /** The spec as this agent knows it; throws when there is none. */
  spec(): Spec;
  emit(name: EventName, facts: EventFacts): void;
  /** Tells people about a failure, but not about the same one over and over. */
  failed(what: string, because: string): void;
  /** What a job achieved that later decisions must know. */
  achieved(outcome: Outcome): void;
  /** A person's request was carried out. */
  requestServed(request: 'reinit' | 'restart' | 'restartPrimary'): void;
}
