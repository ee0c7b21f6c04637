/**
 * What an app node's agent says of its pooler, to the database agents and by them to everybody.
 *
 * Invariant: it speaks of the pooler as it is, not as it was asked to be: a switchover goes on by this word alone. It carries
 * no time: when it was heard is for the listener to say.
 */
import type { AnchoredHead } from './audit-anchor.ts';
import type { NodeName } from './spec.ts';

/** `held`: nobody accepts writes, and writers wait. */
export type PoolerState = 'open' | 'pausing' | 'paused' | 'held' | 'down' | 'unknown';

export interface PoolerBlocker {
  readonly alias: string;
  readonly serverPid: number;
  readonly client: string;
  readonly ageMs: number;
}

export interface PoolerReport {
  readonly node: NodeName;
  readonly counter: number;
  readonly state: PoolerState;
  /** The operation whose pause this state belongs to. */
  readonly operation: string | null;
  /** The highest term whose primary this pooler was pointed at. */
  readonly term: number;
  readonly primary: NodeName | null;
  readonly clients: number;
  readonly waiting: number;
  readonly specRevision: number;
  /** Its writers are served by a standby, or refused, because somebody ordered that nobody may write. */
  readonly readOnly: boolean;
  readonly blockers: readonly PoolerBlocker[];
  readonly poolerVersion: string | null;
  /** Of the last pause: how long it lasted, and what waited. */
  readonly lastPause: PauseFigures | null;
  readonly trouble: string | null;
  /** How far the app node's audit log is: it has no store to say so in. */
  readonly audit?: AnchoredHead | undefined;
  /** Which statement of trust its node goes by; absent: none yet, or an older version. */
  readonly trust?: number | undefined;
  /**
   * By application: the generation of the credential that every server connection of it is of; 0: it is declared, and the pooler
   * has none for it. One that is being gone over to is not named. Absent: not known now, or of an older version.
   */
  readonly credentials?: Readonly<Record<string, number>> | undefined;
  /** By application: its passwords at this pooler. Absent: not known now, or of an older version. */
  readonly clientPasswords?: Readonly<Record<string, ClientPasswordUse>> | undefined;
}

export interface ClientPasswordUse {
  /** Which one stands in the application's files, counted from 1. */
  readonly told: number;
  /** Clients that are connected by the one before. */
  readonly former: number;
}

export interface PauseFigures {
  readonly operation: string;
  readonly drainMs: number;
  readonly pausedMs: number;
  /** Clients that waited for the pause to end, and the longest wait as far as the pooler's figures tell. */
  readonly applications: readonly {
    readonly name: string;
    readonly delayed: number;
    readonly worstMs: number;
    readonly failed: number;
  }[];
}
