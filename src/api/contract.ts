/**
 * The agent's API: routes, who may call them, and what goes over the wire. Both ends import this file.
 *
 * All of it is HTTPS with certificates verified on both sides. Identities come from the client certificate's URI
 * name: `understudy://<cluster>/node/<name>` or `understudy://<cluster>/operator/<name>`.
 */

import type { Topology } from '@understudy/client';
import type { MemberStatus } from '../core/cluster-view.ts';
import type { Reason, Refusal } from '../core/decision.ts';
import type { Prospect } from '../core/forecast.ts';
import type { WalPiece, WalRequest } from '../core/last-words.ts';
import type { LostReport } from '../core/lost-report.ts';
import type { Operation } from '../core/operation.ts';
import type { PoolerReport } from '../core/pooler-report.ts';
import type { PromiseAnswer, PromiseRequest } from '../core/promise.ts';
import type { Receipt } from '../core/receipt.ts';
import type { FailoverPlan } from '../core/rules/failover-order.ts';
import type { ApplicationSpec, NodeName, PoolerSpec, Spec } from '../core/spec.ts';
import type { ClusterStatus } from '../core/status.ts';
import type { EventRecord } from '../events/catalogue.ts';

export type Identity =
  | { readonly kind: 'node'; readonly name: NodeName; readonly role: 'database' | 'app' | 'witness' | 'unknown' }
  | { readonly kind: 'operator'; readonly name: string };

/** What an app node's agent is told beside the topology: only its own applications. */
export interface AppNodeConfiguration {
  readonly specRevision: number;
  readonly poolers: PoolerSpec;
  readonly applications: readonly ApplicationSpec[];
  /** Where every database agent listens. */
  readonly databaseAgents: readonly { readonly node: NodeName; readonly address: string; readonly hostName: string }[];
}

/** One line of `GET /v1/topology/stream` (newline-delimited JSON): sent at every change and at least each second. */
export interface TopologyMessage {
  readonly topology: Topology;
  /** Present in the first message and whenever it changed; only for app nodes. */
  readonly configuration?: AppNodeConfiguration;
}

export interface SwitchoverRequest {
  readonly to: NodeName | null;
  readonly forceAfterMs: number | null;
  readonly without: readonly NodeName[];
  readonly dryRun: boolean;
  readonly paceMs: number;
}

export interface FailoverRequest {
  readonly to: NodeName | null;
  /** What was shown to a person who accepted it; `null`: only ask. */
  readonly accept: {
    readonly term: number;
    readonly counter: number;
    readonly covers: 'unheard' | 'all';
    readonly atLeastBytes: number;
  } | null;
}

/** `checked`: nothing stands against it; whether it needs an acceptance says the plan. */
export interface FailoverAnswer {
  readonly outcome: 'refused' | 'checked' | 'recorded';
  readonly plan: FailoverPlan;
}

export interface HandsOffRequest {
  /** `null`: hands on. At most `handsOffAtMostMs`. */
  readonly forMs: number | null;
}

export interface ReadOnlyRequest {
  readonly on: boolean;
  readonly reason: string | null;
}

export interface Preflight {
  readonly from: NodeName;
  readonly to: NodeName | null;
  readonly poolers: readonly NodeName[];
  readonly blockers: readonly Refusal[];
  readonly warnings: readonly Reason[];
}

export type SwitchoverAnswer =
  | { readonly outcome: 'refused'; readonly preflight: Preflight }
  | { readonly outcome: 'checked'; readonly preflight: Preflight }
  | { readonly outcome: 'started'; readonly preflight: Preflight; readonly operation: string };

export interface WhyAnswer {
  readonly node: NodeName;
  readonly at: string;
  /** Of the view the decision was made from. */
  readonly inputDigest: string;
  readonly reasons: readonly Reason[];
  readonly refused: readonly Refusal[];
  /** Who could take over, and who could not, and why: in the election under way, or in the next. */
  readonly candidates?: readonly Prospect[] | undefined;
  readonly actions: readonly { readonly do: string; readonly because: readonly string[] }[];
}

export interface SpecAnswer {
  readonly revision: number;
  readonly spec: Spec;
  readonly appliedAt: string;
  readonly appliedBy: string;
}

export interface ApplyRequest {
  /** The spec revision that the change was planned against. */
  readonly baseRevision: number;
  readonly spec: Spec;
}

export interface DoctorFinding {
  readonly check: string;
  readonly verdict: 'ok' | 'warning' | 'failure';
  readonly text: string;
  readonly hint: string | null;
}

/** What became of an order that is refused without anything being changed, or taken on. */
export interface Accepted {
  readonly accepted: boolean;
  readonly because: string;
}

/** What the routes call; the agent implements it. Every method may throw `UnderstudyError`. */
export interface AgentBackend {
  readonly node: NodeName;
  readonly cluster: string;
  identify(name: NodeName): 'database' | 'app' | 'witness' | 'unknown';
  health(): {
    readonly node: NodeName;
    readonly version: string;
    readonly term: number;
    readonly storeAgeMs: number | null;
  };
  status(): ClusterStatus;
  why(): WhyAnswer;
  doctor(): Promise<readonly DoctorFinding[]>;
  spec(): SpecAnswer;
  apply(request: ApplyRequest, by: string): Promise<{ readonly revision: number }>;
  /** Events after that sequence number, oldest first. */
  events(after: number): readonly EventRecord[];
  onEvent(listener: (event: EventRecord) => void): () => void;
  topologyMessage(forNode: NodeName | null): TopologyMessage;
  /** Calls back at every change of what `topologyMessage` would answer. */
  onTopology(listener: () => void): () => void;
  report(report: PoolerReport): void;
  /**
   * Answered by the lease's holder; other agents forward the request to it. Once the signal fires nothing is begun any
   * more: what it answers or throws after that is the truth about it.
   */
  switchover(request: SwitchoverRequest, by: string, signal: AbortSignal): Promise<SwitchoverAnswer>;
  cancel(operation: string, by: string): Promise<Accepted>;
  /** Says who would be elected and what would be lost, or records that a person accepts it. */
  failover(request: FailoverRequest, by: string): Promise<FailoverAnswer>;
  /** Has poolers serve from standbys while nobody may write, or ends that; any database node's agent writes it. */
  readOnly(request: ReadOnlyRequest, by: string): Promise<Accepted>;
  /** Keeps the automation from acting, or lets it act again; likewise. */
  handsOff(request: HandsOffRequest, by: string): Promise<Accepted>;
  operation(): Operation | null;
  receipts(): Promise<readonly Receipt[]>;
  receipt(id: string): Promise<Receipt | null>;
  /** What this node had committed alone whenever it came back, oldest first. */
  lost(): Promise<readonly LostReport[]>;
  checkpoint(signal: AbortSignal): Promise<void>;
  /** The holder's agent asks this node not to cut itself off for a while; `by`: its name in its certificate. */
  promise(request: PromiseRequest, by: NodeName): Promise<PromiseAnswer>;
  /** A piece of this node's WAL, once it has released the lease with its PostgreSQL down; `null`: there is none. */
  lastWords(request: WalRequest): Promise<{ readonly piece: WalPiece | null }>;
  reinit(by: string): Promise<Accepted>;
  restart(by: string): Promise<Accepted>;
  member(): MemberStatus | null;
}

/** Answers from memory, or with one short act. */
const atOnceMs = 10_000;

/** `withinMs`: how long the agent may take for its answer; whoever asks waits a little longer. Streams have no end. */
export const routes = {
  health: { method: 'GET', path: '/v1/health', who: ['operator', 'database', 'app', 'witness'], withinMs: atOnceMs },
  status: { method: 'GET', path: '/v1/status', who: ['operator', 'database'], withinMs: atOnceMs },
  why: { method: 'GET', path: '/v1/why', who: ['operator', 'database'], withinMs: atOnceMs },
  /** It runs programs, and asks other agents for the time. */
  doctor: { method: 'GET', path: '/v1/doctor', who: ['operator'], withinMs: 29_000 },
  spec: { method: 'GET', path: '/v1/spec', who: ['operator', 'database'], withinMs: atOnceMs },
  apply: { method: 'POST', path: '/v1/spec', who: ['operator'], withinMs: atOnceMs },
  /** Newline-delimited JSON of EventRecord; `?after=N`, `?follow=true`. */
  events: { method: 'GET', path: '/v1/events', who: ['operator', 'database'], withinMs: atOnceMs },
  topology: { method: 'GET', path: '/v1/topology', who: ['operator', 'database', 'app'], withinMs: atOnceMs },
  topologyStream: {
    method: 'GET',
    path: '/v1/topology/stream',
    who: ['operator', 'database', 'app'],
    withinMs: atOnceMs,
  },
  /** Only the app node itself may report for itself. */
  report: { method: 'POST', path: '/v1/poolers/:node/report', who: ['app'], withinMs: atOnceMs },
  /** Two checkpoints come first, of up to 110 s each (agent/switchover-start.ts). */
  switchover: { method: 'POST', path: '/v1/switchover', who: ['operator', 'database'], withinMs: 235_000 },
  operation: { method: 'GET', path: '/v1/operation', who: ['operator', 'database'], withinMs: atOnceMs },
  cancel: { method: 'POST', path: '/v1/operations/:id/cancel', who: ['operator', 'database'], withinMs: atOnceMs },
  failover: { method: 'POST', path: '/v1/failover', who: ['operator'], withinMs: atOnceMs },
  readOnly: { method: 'POST', path: '/v1/read-only', who: ['operator'], withinMs: atOnceMs },
  handsOff: { method: 'POST', path: '/v1/hands-off', who: ['operator'], withinMs: atOnceMs },
  receipts: { method: 'GET', path: '/v1/receipts', who: ['operator', 'database'], withinMs: atOnceMs },
  receipt: { method: 'GET', path: '/v1/receipts/:id', who: ['operator', 'database'], withinMs: atOnceMs },
  lost: { method: 'GET', path: '/v1/lost', who: ['operator', 'database'], withinMs: atOnceMs },
  checkpoint: { method: 'POST', path: '/v1/checkpoint', who: ['database'], withinMs: 115_000 },
  promise: { method: 'POST', path: '/v1/promise', who: ['database'], withinMs: atOnceMs },
  lastWords: { method: 'POST', path: '/v1/last-words', who: ['database'], withinMs: atOnceMs },
  reinit: { method: 'POST', path: '/v1/reinit', who: ['operator'], withinMs: atOnceMs },
  restart: { method: 'POST', path: '/v1/restart', who: ['operator'], withinMs: atOnceMs },
} as const;

export type RouteName = keyof typeof routes;

/** Percent-encoded name of the operator for whom a database node's agent forwards a request. */
export const onBehalfOfHeader = 'x-understudy-on-behalf-of';
