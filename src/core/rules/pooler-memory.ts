/**
 * What an app node's agent knows (`PoolerView`) and keeps between decisions (`PoolerMemory`); see pooler.ts for the rules.
 */
import type { Topology } from '@understudy/client';
import type { PoolerConfiguration } from '../pooler-configuration.ts';
import type { ApplicationSpec, NodeName, PoolerSpec } from '../spec.ts';
import type { Readers } from './readers.ts';

/** An agent sends at least each second: after three it is no longer heard. */
export const heardForMs = 3_000;

export interface Sighting {
  readonly agent: NodeName;
  readonly topology: Topology;
  readonly atMs: number;
}

export type PoolerGateView =
  | { readonly state: 'open' }
  | {
      readonly state: 'draining' | 'drained';
      readonly operation: string;
      readonly term: number;
      /** When the pause began. */
      readonly sinceMs: number;
      readonly limitMs: number;
    };

export interface PoolerView {
  readonly self: NodeName;
  readonly cluster: string;
  readonly nowMs: number;
  /** The latest message of each agent, also of those whose stream is broken now. */
  readonly sightings: readonly Sighting[];
  readonly wanted: {
    readonly poolers: PoolerSpec;
    readonly applications: readonly ApplicationSpec[];
    readonly listenAddress: string;
  } | null;
  readonly gate: PoolerGateView;
  /** Is the pooler's process there? */
  readonly process: 'running' | 'stopped' | 'unknown';
  /** Does it show paused aliases though no pause of ours is in force? */
  readonly strayPause: boolean;
  /** What the running pooler has taken; `null`: not known, as after a restart of the agent. */
  readonly loaded: PoolerConfiguration | null;
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
};
