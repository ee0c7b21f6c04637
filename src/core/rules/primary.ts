/**
 * What the holder of the lease does with its PostgreSQL.
 *
 * Invariant: nothing is started as primary or promoted without a renewal that this very process had acknowledged in
 * the current term and whose deadline lies ahead; never while an operation of its own is active (see switchover.ts).
 */
import type { Action } from '../actions.ts';
import type { Stored } from '../cluster-view.ts';
import type { Lease } from '../lease.ts';
import { act, nothing, otherDatabaseNodes, refuse, type Situation, type Verdict, wait } from '../situation.ts';
import { retryAfterMs } from './job-retry.ts';
import { decideAsNewPrimary, decideAsOldPrimary } from './switchover.ts';

type Held = Stored<Lease & { state: 'held' }>;

/** So much of the lease must be left before something is started or promoted on it. */
const marginMs = 500;

/** A promotion outside a switchover, after a restart in its middle. */
const promoteWithinMs = 30_000;

export function decideAsHolder(situation: Situation, lease: Held): Verdict {
  const switchover = decideAsOldPrimary(situation, lease) ?? decideAsNewPrimary(situation, lease);
  if (switchover !== null) return switchover;
  const { view, nowMs } = situation;
  const { postgres } = view;
  const deadline = situation.lease.is === 'mine' ? situation.lease.deadlineMs : null;
  const fresh = deadline !== null && nowMs < deadline - marginMs;
  switch (postgres.state) {
    case 'primary':
      return asPrimary(situation, lease);
    case 'unknown':
      return wait({ code: 'postgres-unknown', text: postgres.because }, 200);
    case 'starting':
    case 'stopping':
      return wait({ code: `postgres-${postgres.state}`, text: `PostgreSQL is ${postgres.state}` }, 50);
    case 'missing-binaries':
    case 'foreign':
      return refuse({ what: 'be primary', blockedBy: postgres.state, text: postgres.because });
    case 'absent':
    case 'unfinished':
      return withoutData(situation);
    case 'stopped':
    case 'standby':
      if (!fresh)
        return wait({ code: 'renewal-awaited', text: 'nothing starts before a fresh renewal of the lease' }, 100);
      return postgres.state === 'standby' ? promote(situation) : startAgain(situation);
    default:
      return unreachable(postgres);
  }
}

function asPrimary(situation: Situation, lease: Held): Verdict {
  const { postgres, store } = situation.view;
  const text = `${situation.self} holds term ${lease.value.term}`;
  if (postgres.state !== 'primary' || store.cluster !== null)
    return { ...nothing(), reasons: [{ code: 'holds-lease', text }] };
  const record: Action = {
    do: 'record-cluster',
    systemIdentifier: postgres.systemIdentifier,
    postgresMajor: postgres.major,
    lease,
    because: ['cluster-new'],
  };
  return act([record], { code: 'cluster-new', text: 'the first primary names the cluster' }, 0);
}

function withoutData(situation: Situation): Verdict {
  if (situation.view.store.cluster !== null) {
    return refuse({
      what: 'be primary',
      blockedBy: 'no-data',
      text: 'this node holds the lease but has no data; a new cluster is never made over an existing one',
    });
  }
  const backOff = retryAfterMs(situation.view, 'initialise');
  if (backOff > 0) return wait({ code: 'initialise-failed', text: lastError(situation, 'initialise') }, backOff);
  return act(
    [{ do: 'initialise', because: ['cluster-new'] }],
    { code: 'cluster-new', text: 'a new cluster is made here' },
    50,
  );
}

function promote(situation: Situation): Verdict {
  const backOff = retryAfterMs(situation.view, 'promote');
  if (backOff > 0) return wait({ code: 'promote-failed', text: lastError(situation, 'promote') }, backOff);
  const operation = situation.view.store.operation?.value;
  const withinMs = operation?.phase === 'handed-over' ? operation.promoteTimeoutMs : promoteWithinMs;
  return act(
    [{ do: 'promote', withinMs, because: ['holds-lease'] }],
    { code: 'holds-lease', text: 'this standby holds the lease' },
    50,
  );
}

function startAgain(situation: Situation): Verdict {
  const { view } = situation;
  if (view.postgres.state !== 'stopped') return nothing();
  const known = view.store.cluster?.value.systemIdentifier;
  if (known !== undefined && known !== view.postgres.systemIdentifier) {
    return refuse({
      what: 'be primary',
      blockedBy: 'other-cluster',
      text: `the data directory belongs to system ${view.postgres.systemIdentifier}, this cluster is ${known}; it is never touched`,
    });
  }
  const backOff = retryAfterMs(view, 'start');
  if (backOff > 0) return wait({ code: 'start-failed', text: lastError(situation, 'start') }, backOff);
  const peer = otherDatabaseNodes(situation)[0];
  if (view.postgres.lastRole === 'standby' && peer !== undefined) {
    // Started as primary it would go on on the old timeline in a new term; a promotion opens one of its own.
    return act(
      [{ do: 'start', as: 'standby', from: peer.name, because: ['holds-lease', 'was-standby'] }],
      { code: 'was-standby', text: 'starts as it was, to be promoted then' },
      50,
    );
  }
  return act(
    [{ do: 'start', as: 'primary', because: ['holds-lease'] }],
    { code: 'holds-lease', text: 'the holder starts its PostgreSQL' },
    50,
  );
}

function lastError(situation: Situation, kind: 'initialise' | 'promote' | 'start'): string {
  return situation.view.lastJobs.get(kind)?.error ?? `${kind} failed`;
}

function unreachable(value: never): never {
  throw new Error(`not a known state: ${JSON.stringify(value)}`);
}
