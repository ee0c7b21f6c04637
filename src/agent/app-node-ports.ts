/** What an app node's agent is made of: its pooler, where it hears of the topology, whom it tells, and what it keeps. */
import type { TopologyMessage } from '../api/contract/app-nodes.ts';
import type { PoolerReport } from '../core/pooler-report.ts';
import type { RevokedEntry } from '../core/revocation.ts';
import type { AppNodeMemory } from '../core/rules/pooler-memory.ts';
import type { NodeName } from '../core/spec.ts';
import type { EventFacts, EventName } from '../events/catalogue.ts';
import type { ApplicationFiles } from '../ports/application-files.ts';
import type { ClientLogins } from '../ports/client-logins.ts';
import type { Clock } from '../ports/clock.ts';
import type { CredentialKeeper } from '../ports/credentials.ts';
import type { Pooler } from '../ports/pooler.ts';
import type { ActOptions } from '../ports/postgres.ts';
import type { LedTo } from './app-node-former-primaries.ts';

/** A database node's agent; `hostName` is the name to verify in its certificate. */
export interface DatabaseAgent {
  readonly node: NodeName;
  readonly address: string;
  readonly hostName: string;
}

export interface TopologySource {
  /**
   * Connects once and passes on each message, parsed and in order, until the stream breaks or the signal fires.
   * `onBreak` is called once, and not after the signal; `isStranger`: the agent says that this is no app node of its
   * cluster. Connecting again is the caller's part.
   */
  follow(
    agent: DatabaseAgent,
    onMessage: (message: TopologyMessage) => void,
    onBreak: (because: string, isStranger: boolean) => void,
    signal: AbortSignal,
  ): void;
}

export interface PoolerReporter {
  /** Rejects when that agent did not take it. */
  report(agent: DatabaseAgent, report: PoolerReport, options: ActOptions): Promise<void>;
}

/** What must survive the agent's own end, on this node's disk. */
export interface AppNodeJournal {
  /** `null`: there is none, or it can't be read. */
  read(): AppNodeMemory | null;
  /** Returns when a process that starts now would read it; need not survive the end of the host. */
  write(memory: AppNodeMemory): void;
}

export type EmitEvent = (name: EventName, facts: EventFacts) => void;

/** What acts on the pooler (app-node-acts.ts) has of the rest of its agent. */
export interface ActsDeps {
  readonly node: string;
  readonly pooler: Pooler;
  readonly clock: Clock;
  readonly emit: EmitEvent;
  /** Where writes go by the last decision, for events. */
  primary(): LedTo;
  /** What others wait to hear has changed. */
  changed(): void;
  /** The server may be gone: have it looked after. */
  doubt(): void;
  /** Decide again. */
  wake(): void;
  /** The gate has changed: write it down. */
  remember(): void;
}

/** What the agent is made of. */
export interface AppNodeDeps {
  readonly node: NodeName;
  readonly cluster: string;
  readonly listenAddress: string;
  /** From the node file; the configuration message names them all later. */
  readonly agents: readonly DatabaseAgent[];
  readonly pooler: Pooler;
  readonly files: ApplicationFiles;
  readonly source: TopologySource;
  readonly reporter: PoolerReporter;
  readonly journal: AppNodeJournal;
  readonly secrets: CredentialKeeper;
  readonly clientLogins: Pick<ClientLogins, 'reach' | 'trouble'>;
  /** Hears of revoked certificates, whichever agent tells of them. */
  readonly revoked: { learn(entries: readonly RevokedEntry[]): void };
  readonly clock: Clock;
  readonly emit: EmitEvent;
  /** What else is wrong on this node, in one line; nothing unless given. */
  readonly otherTrouble?: () => string | null;
}
