/**
 * Keeping, losing and first taking the lease (PROTOCOLS, "Lease").
 *
 * Invariant: a holder makes nothing writable after its deadline; a node that reads a foreign, released or missing
 * lease demotes. How others take a lease that its holder lost stands in failover.ts.
 */
import type { Action } from '../actions.ts';
import type { Stored } from '../cluster-view.ts';
import { unreachable } from '../exhausted-union.ts';
import { driftMs, killTimeMs, type Lease, renewEveryMs, type WrittenPosition } from '../lease.ts';
import { formatLsn } from '../lsn.ts';
import { ownDeadlineMs } from '../memory.ts';
import { act, type LeasePosition, nothing, refuse, type Situation, type Verdict, wait } from '../situation.ts';
import { nodesOfRole } from '../spec.ts';
import { recordedBoots } from './boots.ts';
import { candidatesToName, mustPromise } from './candidates.ts';
import { drawReceipt } from './receipt.ts';
import { letsLeaseRunOut } from './useless.ts';

/** How long a fast stop may take before force is used, when the right to be primary is gone. */
const demotionPatienceMs = 300;

/** So long an election may take before the last holder tries again, in ms. */
const takeBackAfterMs = 15_000;

/** Before the lease was ever read, the usual one is assumed. */
const assumedTtlMs = 6_000;

/** Stops a server that may be writable without the right to be. `null`: there is none. */
export function decideDemotion(situation: Situation): Verdict | null {
  const { view, memory, nowMs, lease } = situation;
  if (view.postgres.state !== 'primary' || view.job?.kind === 'stop') return null;
  const because = whyDemote();
  if (because === null) return null;
  const stop: Action = {
    do: 'stop',
    awaitStandby: null,
    patienceMs: demotionPatienceMs,
    drain: null,
    because: [because.code],
  };
  return act([stop], because, 50);

  function whyDemote() {
    switch (lease.is) {
      case 'unread': {
        const limit = memory.startedAtMs + assumedTtlMs - driftMs(assumedTtlMs) - killTimeMs;
        if (nowMs < limit) return null;
        return { code: 'lease-never-read', text: 'this agent could not read the lease since it started' };
      }
      case 'missing':
        if (view.store.cluster === null) return null;
        return { code: 'lease-missing', text: 'the store has no lease any more' };
      case 'released':
        return {
          code: 'lease-released',
          text: `the lease of term ${lease.lease.value.term} was released to ${lease.to}`,
        };
      case 'other':
        return { code: 'lease-held-by-other', text: `${lease.holder} holds term ${lease.lease.value.term}` };
      case 'mine':
        if (nowMs < rightEndsAtMs(situation, lease)) return null;
        return { code: 'lease-expired', text: `no renewal of term ${lease.lease.value.term} was acknowledged in time` };
      default:
        return unreachable(lease);
    }
  }
}

/** Until when a holder's server may be writable, on this node's boottime. */
export function rightEndsAtMs({ memory }: Situation, lease: Extract<LeasePosition, { is: 'mine' }>): number {
  // Without an acknowledged renewal of its own, a restarted agent has one TTL from its start to get one.
  const { ttlMs, term } = lease.lease.value;
  const fromStart = memory.startedAtMs + ttlMs - driftMs(ttlMs) - killTimeMs;
  // The answer to taking this term was lost: nobody else can have taken it, so the right of the one before runs on.
  // It starts nothing: for that, this term must be renewed.
  return lease.deadlineMs ?? Math.max(ownDeadlineMs(memory, term - 1) ?? fromStart, fromStart);
}

/** The renewal that is due, as the first action of a completed loop. */
export function decideRenewal(situation: Situation): readonly Action[] {
  const { lease, view, memory, nowMs } = situation;
  if (lease.is !== 'mine' || letsLeaseRunOut(situation)) return [];
  const renewal = view.store.renewal;
  if (renewal === null) return [];
  const every = renewEveryMs(lease.lease.value.ttlMs);
  const last = Math.max(memory.lastRenewalTryMs ?? 0, memory.renewal?.sentAtMs ?? 0);
  const fresh = lease.deadlineMs !== null && nowMs - last < every;
  const justTried = lease.deadlineMs === null && nowMs - last < every / 2 && last > 0;
  if (fresh || justTried) return [];
  const candidates = candidatesToName(situation);
  const facts = { written: written(situation), boots: recordedBoots(situation), candidates };
  return [{ do: 'renew-lease', lease: lease.lease, renewal, ...facts, because: ['renewal-due'] }];
}

/** What an election may know of it later. While the server can't be looked at, the last word of this term stands. */
function written({ view }: Situation): WrittenPosition | null {
  const { postgres } = view;
  if (postgres.state === 'primary') return { timeline: postgres.timeline, lsn: formatLsn(postgres.insertLsn) };
  return view.store.renewal?.value.written ?? null;
}

/**
 * The store does not answer: the holder asks every node that could be promoted for its promise (PROTOCOLS, "Store
 * unreachable"; model C). While all give it, it stays primary; one that refuses or is not heard is enough to demote in
 * time. Rounds are numbered, so that no old answer counts for a new one.
 */
export function decidePromises(situation: Situation): readonly Action[] {
  const { lease, view, memory, nowMs } = situation;
  if (lease.is !== 'mine' || view.postgres.state !== 'primary' || !memory.failures.has('renew-lease')) return [];
  const { term, ttlMs } = lease.lease.value;
  const last = memory.lastRound;
  if (last !== null && nowMs - last.atMs < renewEveryMs(ttlMs) / 2) return [];
  const of = mustPromise(situation);
  const round = (last?.round ?? 0) + 1;
  return [{ do: 'ask-promises', of, term, round, ttlMs, because: ['store-silent'] }];
}

/** Taking the lease where nobody has it: the very first term, or a release to this node by name. */
export function decideTaking(situation: Situation): Verdict | null {
  const { lease, view, spec, me } = situation;
  if (spec === null || me === null) return null;
  if (lease.is === 'missing') return decideFirstTerm(situation);
  if (lease.is === 'released' && lease.to === situation.self) {
    const { state } = view.postgres;
    if (state !== 'stopped' && state !== 'standby') {
      return wait(
        { code: 'released-to-me', text: 'waiting for the local PostgreSQL before taking the released lease' },
        100,
      );
    }
    return takeReleased(situation, lease.lease, spec.lease.ttlMs);
  }
  if (lease.is === 'released' && lease.to === null && lease.lease.value.by === situation.self) {
    return takeBack(situation, lease.lease, spec.lease.ttlMs);
  }
  return null;
}

/** Nobody could be elected: whoever released the lease tries its own server again, which has everything. */
function takeBack(situation: Situation, lease: Stored<Lease & { state: 'released' }>, ttlMs: number): Verdict | null {
  const since = situation.memory.leaseWatch?.sinceMs;
  if (since === undefined || situation.nowMs - since < takeBackAfterMs) return null;
  return situation.view.postgres.state === 'stopped' ? takeReleased(situation, lease, ttlMs) : null;
}

function takeReleased(situation: Situation, lease: Stored<Lease & { state: 'released' }>, ttlMs: number): Verdict {
  const { view } = situation;
  const stored = view.store.operation;
  const handedOver = stored !== null && stored.value.phase === 'handed-over' && stored.value.from === situation.self;
  const detail = `${lease.value.by} did not become writable and gave the lease back`;
  const timeline = handedOver ? stored.value.timeline : 0;
  const undo = handedOver
    ? {
        operation: stored,
        reason: 'promote-timeout' as const,
        detail,
        receipt: drawReceipt({
          operation: stored.value,
          termAfter: lease.value.term + 1,
          timelineBefore: timeline,
          timelineAfter: timeline,
          timings: [],
          reports: view.reports,
          undone: { reason: 'promote-timeout', detail },
        }),
      }
    : null;
  return act(
    [
      {
        do: 'take-released-lease',
        lease,
        ttlMs,
        candidates: candidatesToName(situation),
        undo,
        because: ['released-to-me'],
      },
    ],
    { code: 'released-to-me', text: detail },
    0,
  );
}

function decideFirstTerm(situation: Situation): Verdict {
  const { view, spec, self } = situation;
  if (spec === null) return nothing();
  if (view.store.cluster !== null) {
    return refuse({
      what: 'take the lease',
      blockedBy: 'lease-missing',
      text: 'the store knows this cluster but has no lease: it was lost or removed, and a person must look first',
    });
  }
  const first = nodesOfRole(spec, 'database')[0];
  if (first?.name !== self) {
    return wait({
      code: 'not-first-node',
      text: `waiting for ${first?.name ?? 'a database node'} to begin the cluster`,
    });
  }
  switch (view.postgres.state) {
    case 'absent':
    case 'unfinished':
      return act(
        [
          {
            do: 'take-first-lease',
            ttlMs: spec.lease.ttlMs,
            candidates: candidatesToName(situation),
            because: ['cluster-new'],
          },
        ],
        { code: 'cluster-new', text: 'the store has neither a lease nor a cluster, and the data directory is empty' },
        0,
      );
    case 'foreign':
    case 'missing-binaries':
      return refuse({ what: 'begin the cluster', blockedBy: view.postgres.state, text: view.postgres.because });
    case 'unknown':
      return wait({ code: 'postgres-unknown', text: view.postgres.because });
    default:
      return refuse({
        what: 'begin the cluster',
        blockedBy: 'data-directory-in-use',
        text: 'the data directory holds a PostgreSQL cluster already, and the store does not know it; it is never touched',
      });
  }
}
