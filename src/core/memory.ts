/**
 * What a database node's agent remembers from one decision to the next.
 *
 * Invariant: nothing in it is needed for safety after a restart. A fresh memory assumes the worst of the process before: it
 * waits for a fresh renewal before it starts or promotes anything, settles the durability record anew, cuts again, and asks
 * every node for its promise, since the one before may have named any.
 */

import { type CrashMarks, noCrashes } from './crash-marks.ts';
import type { Divergence } from './divergence.ts';
import type { SyncSet } from './durability.ts';
import { unreachable } from './exhausted-union.ts';
import type { HandsOffWatch } from './hands-off.ts';
import { leaseDeadlineMs } from './lease.ts';
import type { Lsn } from './lsn.ts';
import type { OperationPhase, PhaseTiming } from './operation.ts';
import type { NodeName } from './spec.ts';
import type { FailingProbes } from './write-probe.ts';

/** The last renewal of this process's own lease that the store acknowledged. */
export interface OwnRenewal {
  readonly term: number;
  /** Boottime before the request was sent. */
  readonly sentAtMs: number;
  readonly ttlMs: number;
}

/** What this agent saw of the operation, on its own clock. */
export interface OperationMarks {
  readonly id: string;
  readonly phase: OperationPhase['phase'];
  readonly phaseSinceMs: number;
  readonly drainedAtMs: number | null;
  readonly writableAtMs: number | null;
  /** When every pooler had reported that it serves the new primary. */
  readonly resumedAtMs: number | null;
  /** Measured by this agent, for the receipt. */
  readonly timings: readonly PhaseTiming[];
}

/** The lease as it was last seen to change, on this agent's own clock. */
export interface LeaseWatch {
  /** Revisions of lease and renewal together. */
  readonly key: string;
  readonly sinceMs: number;
  /** The last linearizable look that found them unchanged. */
  readonly lookedAtMs: number | null;
}

/** The set of synchronous standbys that this agent has seen in effect in every process of the server. */
export interface SyncEffect {
  readonly pid: number;
  readonly set: SyncSet;
  /** Read after it had taken effect: what was acknowledged before lies below. */
  readonly mark: Lsn;
}

/** What is known of this node's WAL past the fork at which it parted from the holder. */
export interface Examined {
  /** Of which parting. */
  readonly key: string;
  readonly found: Divergence;
  /** Why a rewind did not work; `null`: none was tried, or none failed. */
  readonly rewindFailed: string | null;
}

export interface ArchiveReading {
  /** How far it has replayed, and since when. */
  readonly at: Lsn;
  readonly sinceMs: number;
  /** Since when somebody streams to it again. */
  readonly streamingSinceMs: number | null;
}

export interface MemberSeen {
  readonly counter: number;
  readonly atMs: number;
  readonly moved: boolean;
}

export interface DatabaseMemory {
  readonly startedAtMs: number;
  readonly renewal: OwnRenewal | null;
  readonly lastRenewalTryMs: number | null;
  /** Whom a renewal may name that this process sent and nobody answered: it may land yet. */
  readonly named: readonly NodeName[];
  /** The last round of promises in which every node that could be promoted gave its own. */
  readonly promised: OwnRenewal | null;
  readonly lastRound: { readonly round: number; readonly atMs: number } | null;
  readonly leaseWatch: LeaseWatch | null;
  readonly handsOff: HandsOffWatch | null;
  /** The last cut that was carried out to its end, and on which server; a later one must be cut again. */
  readonly cutOff: { readonly term: number; readonly pid: number } | null;
  /** For which term the last primary was asked for what nobody had received. */
  readonly heardLastWords: number | null;
  /** When this node's own ballot of that term was written. */
  readonly ballot: { readonly term: number; readonly key: string; readonly atMs: number } | null;
  /** Who was to take the lease, and since when. */
  readonly elected: { readonly term: number; readonly node: NodeName; readonly sinceMs: number } | null;
  /** Who was elected for that term and did not act. */
  readonly silent: { readonly term: number; readonly nodes: ReadonlySet<NodeName> } | null;
  readonly sync: SyncEffect | null;
  /** This process has written the durability record itself in this term: no older write of it can land any more. */
  readonly durabilityWritten: number | null;
  /** When each standby was last seen streaming. */
  readonly streamed: ReadonlyMap<NodeName, number>;
  /** Since when fewer standbys stream than a replicated commit is declared to wait for. */
  readonly shortSinceMs: number | null;
  readonly operation: OperationMarks | null;
  /** When each member's counter was last seen to change; not `moved`: when it was seen first. */
  readonly memberSeen: ReadonlyMap<NodeName, MemberSeen>;
  /** What was last applied to the local server, to know what is owed. */
  readonly configuredRevision: number | null;
  /** Whom a standby's files name for its time as primary. */
  readonly configuredSync: SyncSet | null;
  readonly databasesRevision: number | null;
  readonly credentialsDoneAtMs: number | null;
  readonly credentialsKey: string | null;
  readonly slotsDoneAtMs: number | null;
  readonly slotsKey: string | null;
  readonly keptDiscarded: boolean;
  readonly examined: Examined | null;
  readonly status: { readonly key: string; readonly counter: number; readonly atMs: number } | null;
  /** While the local standby fetches from the archive; `null`: it does not. */
  readonly archiveReading: ArchiveReading | null;
  /** Since when this node has waited for the holder to become writable, before it starts as a standby anyway. */
  readonly waitingForHolderSinceMs: number | null;
  /** Since when the local server has answered nobody: it could not be looked at, or was on its way down by itself. */
  readonly unansweringSinceMs: number | null;
  /** Of the server that ran last here; until another one proves to be of use. */
  readonly failingProbes: FailingProbes | null;
  /** Since when a server is being ended that does not go. */
  readonly endingSinceMs: number | null;
  readonly crashes: CrashMarks;
  /** Failures of short acts, by name: when they failed last and how often in a row. */
  readonly failures: ReadonlyMap<string, { readonly atMs: number; readonly times: number }>;
}

export function emptyMemory(nowMs: number): DatabaseMemory {
  return {
    startedAtMs: nowMs,
    renewal: null,
    lastRenewalTryMs: null,
    named: [],
    promised: null,
    lastRound: null,
    leaseWatch: null,
    handsOff: null,
    cutOff: null,
    heardLastWords: null,
    ballot: null,
    elected: null,
    silent: null,
    sync: null,
    durabilityWritten: null,
    streamed: new Map(),
    shortSinceMs: null,
    operation: null,
    memberSeen: new Map(),
    configuredRevision: null,
    configuredSync: null,
    databasesRevision: null,
    credentialsDoneAtMs: null,
    credentialsKey: null,
    slotsDoneAtMs: null,
    slotsKey: null,
    keptDiscarded: false,
    examined: null,
    status: null,
    archiveReading: null,
    waitingForHolderSinceMs: null,
    unansweringSinceMs: null,
    failingProbes: null,
    endingSinceMs: null,
    crashes: noCrashes,
    failures: new Map(),
  };
}

/** What came of an action, as far as later decisions depend on it. */
export type Outcome =
  | { readonly kind: 'renewal-sent'; readonly atMs: number }
  /** A write of the lease that names them was not answered. */
  | { readonly kind: 'named'; readonly nodes: readonly NodeName[] }
  | { readonly kind: 'renewed'; readonly renewal: OwnRenewal }
  | { readonly kind: 'promises-asked'; readonly round: number; readonly atMs: number }
  | { readonly kind: 'promised'; readonly promised: OwnRenewal }
  | { readonly kind: 'lease-looked'; readonly key: string; readonly atMs: number }
  | { readonly kind: 'cut-off'; readonly term: number; readonly pid: number }
  | { readonly kind: 'last-words-heard'; readonly term: number }
  | { readonly kind: 'ballot-written'; readonly term: number; readonly key: string; readonly atMs: number }
  | { readonly kind: 'sync-effective'; readonly effect: SyncEffect }
  | { readonly kind: 'durability-written'; readonly term: number }
  /** No answer: it may land yet, until another write of this process makes that impossible. */
  | { readonly kind: 'durability-unanswered' }
  | { readonly kind: 'configured'; readonly specRevision: number; readonly sync: SyncSet }
  | { readonly kind: 'slots-applied'; readonly key: string; readonly atMs: number }
  | { readonly kind: 'kept-discarded' }
  | { readonly kind: 'kept-again' }
  | { readonly kind: 'examined'; readonly key: string; readonly found: Divergence }
  | { readonly kind: 'rewind-failed'; readonly key: string; readonly because: string }
  | { readonly kind: 'databases-applied'; readonly specRevision: number }
  /** They were there once: the databases' roles are looked at again. */
  | { readonly kind: 'logins-missing' }
  | { readonly kind: 'credentials-applied'; readonly key: string; readonly atMs: number }
  | { readonly kind: 'status-published'; readonly key: string; readonly counter: number; readonly atMs: number }
  | { readonly kind: 'act-failed'; readonly act: string; readonly atMs: number };

export function learn(memory: DatabaseMemory, outcome: Outcome): DatabaseMemory {
  switch (outcome.kind) {
    case 'renewal-sent':
      return { ...memory, lastRenewalTryMs: outcome.atMs };
    case 'renewed':
      // Whatever was not answered before it compares what it changed.
      return { ...forgive(memory, 'renew-lease'), renewal: outcome.renewal, named: [] };
    case 'named':
      return { ...memory, named: [...new Set([...memory.named, ...outcome.nodes])] };
    case 'promises-asked':
      return { ...memory, lastRound: { round: outcome.round, atMs: outcome.atMs } };
    case 'promised':
      return { ...memory, promised: outcome.promised };
    case 'lease-looked': {
      const watch = memory.leaseWatch;
      return watch?.key === outcome.key ? { ...memory, leaseWatch: { ...watch, lookedAtMs: outcome.atMs } } : memory;
    }
    case 'cut-off':
      return { ...memory, cutOff: { term: outcome.term, pid: outcome.pid } };
    case 'last-words-heard':
      return { ...memory, heardLastWords: outcome.term };
    case 'ballot-written':
      return { ...memory, ballot: { term: outcome.term, key: outcome.key, atMs: outcome.atMs } };
    case 'sync-effective':
      return { ...forgive(memory, 'set-sync-standbys'), sync: outcome.effect };
    case 'durability-written':
      return { ...forgive(memory, 'write-durability'), durabilityWritten: outcome.term };
    case 'durability-unanswered':
      return { ...memory, durabilityWritten: null };
    case 'configured':
      return {
        ...forgive(memory, 'configure'),
        configuredRevision: outcome.specRevision,
        configuredSync: outcome.sync,
      };
    case 'slots-applied':
      return { ...forgive(memory, 'apply-slots'), slotsKey: outcome.key, slotsDoneAtMs: outcome.atMs };
    case 'databases-applied':
      return { ...memory, databasesRevision: outcome.specRevision };
    case 'logins-missing':
      return { ...memory, databasesRevision: null };
    case 'credentials-applied':
      return { ...memory, credentialsKey: outcome.key, credentialsDoneAtMs: outcome.atMs };
    case 'kept-discarded':
      return { ...forgive(memory, 'discard-kept'), keptDiscarded: true };
    case 'kept-again':
      return { ...memory, keptDiscarded: false };
    case 'examined':
      return { ...memory, examined: { key: outcome.key, found: outcome.found, rewindFailed: null } };
    case 'rewind-failed': {
      const { examined } = memory;
      if (examined?.key !== outcome.key) return memory;
      return { ...memory, examined: { ...examined, rewindFailed: outcome.because } };
    }
    case 'status-published':
      return { ...memory, status: { key: outcome.key, counter: outcome.counter, atMs: outcome.atMs } };
    case 'act-failed': {
      const times = (memory.failures.get(outcome.act)?.times ?? 0) + 1;
      return { ...memory, failures: new Map(memory.failures).set(outcome.act, { atMs: outcome.atMs, times }) };
    }
    default:
      return unreachable(outcome);
  }
}

function forgive(memory: DatabaseMemory, act: string): DatabaseMemory {
  if (!memory.failures.has(act)) return memory;
  const failures = new Map(memory.failures);
  failures.delete(act);
  return { ...memory, failures };
}

/** May a failed act be tried again? Waits 1, 2, 4 … 30 s after failures in a row. */
export function mayRetry(memory: DatabaseMemory, act: string, nowMs: number): boolean {
  const failure = memory.failures.get(act);
  if (failure === undefined) return true;
  return nowMs - failure.atMs >= Math.min(30_000, 1_000 * 2 ** (failure.times - 1));
}

/**
 * The last instant at which this node's PostgreSQL may be writable: by the last acknowledged renewal, or by the promises of
 * all who could be promoted, whichever is later. `null` without either.
 */
export function ownDeadlineMs(memory: DatabaseMemory, term: number): number | null {
  const rights = [memory.renewal, memory.promised].filter((right) => right?.term === term);
  const ends = rights.flatMap((right) => (right === null ? [] : [leaseDeadlineMs(right.sentAtMs, right.ttlMs)]));
  return ends.length === 0 ? null : Math.max(...ends);
}
