/**
 * What an app node's agent knows (`PoolerView`) and keeps between decisions (`PoolerMemory`); see pooler.ts for the rules.
 */
import type { Topology } from '@understudy/client/topology';
import type { SealedCredential } from '../credential.ts';
import type { PoolerConfiguration } from '../pooler-configuration.ts';
import type { ApplicationSpec, NodeName, PoolerSpec } from '../spec.ts';
import type { TlsRules } from '../tls-policy.ts';
import type { Readers } from './readers.ts';

/** An agent sends at least each second: after three it is no longer heard. */
export const heardForMs = 3_000;

export interface Sighting {
  readonly agent: NodeName;
  readonly topology: Topology;
  readonly atMs: number;
}

/** Paused for an operation. */
export interface ShutGate {
  readonly state: 'draining' | 'drained';
  readonly operation: string;
  readonly term: number;
  /** When the pause began. */
  readonly sinceMs: number;
  readonly limitMs: number;
}

/** Writers wait because nobody may write (see pooler-hold.ts). */
export interface HeldGate {
  readonly state: 'held';
  /** In which the loss was seen. */
  readonly term: number;
  readonly sinceMs: number;
  readonly limitMs: number;
}

export type PoolerGateView = { readonly state: 'open' } | ShutGate | HeldGate;

/** What came of the last knock at a server's port. */
export interface Reach {
  readonly address: string;
  readonly port: number;
  readonly answer: ReachAnswer;
  /** Before the knock. */
  readonly atMs: number;
}

/** `refused`: its host says that nobody listens there; `silent`: no answer came in time. */
export type ReachAnswer = 'answers' | 'refused' | 'silent';

export interface PoolerView {
  readonly self: NodeName;
  readonly cluster: string;
  readonly nowMs: number;
  /** The latest message of each agent, also of those whose stream is broken now. */
  readonly sightings: readonly Sighting[];
  readonly wanted: {
    readonly poolers: PoolerSpec;
    readonly applications: readonly ApplicationSpec[];
    readonly credentials: readonly Omit<SealedCredential, 'sealed'>[];
    readonly listenAddress: string;
    readonly tls: TlsRules;
    /** Every database node of the declaration. */
    readonly databaseAgents: readonly { readonly node: NodeName; readonly address: string }[];
  } | null;
  readonly gate: PoolerGateView;
  /** Is the pooler's process there? */
  readonly process: 'running' | 'stopped' | 'unknown';
  /** Does it show paused aliases though no pause of ours is in force? */
  readonly strayPause: boolean;
  /** What the running pooler has taken; `null`: not known, as after a restart of the agent. */
  readonly loaded: PoolerConfiguration | null;
  readonly reach: Reach | null;
  /** When the pooler last complained of anything: a hint that its server may be gone, no more. */
  readonly stirredAtMs: number | null;
}

export interface PoolerMemory {
  /** The highest term acted on. */
  readonly term: number;
  /** Where writes go, or went last. */
  readonly primary: { readonly node: NodeName; readonly address: string; readonly port: number } | null;
  /** Operations whose pause was begun here; each is served once. */
  readonly served: readonly string[];
  /** The agents that showed the pause which is served now. */
  readonly shownBy: readonly NodeName[];
  readonly readers: Readers;
  /** The last configuration that was decided, to go on with when nobody is heard. */
  readonly configuration: PoolerConfiguration | null;
  /** Writers were held for a loss in this term until the limit: not for the same one again. `null`: nothing was held out. */
  readonly heldOutTerm: number | null;
  /** Somebody declared that nobody may write: writers are served by standbys. */
  readonly readOnly: boolean;
}

/** What outlives the agent: without it a new agent could follow a lower term, or forget a pause that it must end. */
export interface AppNodeMemory {
  readonly memory: PoolerMemory;
  readonly gate: PoolerGateView;
}

export const noPoolerMemory: PoolerMemory = {
  term: 0,
  primary: null,
  served: [],
  shownBy: [],
  readers: { chosen: [], candidates: [], straying: [] },
  configuration: null,
  heldOutTerm: null,
  readOnly: false,
};
