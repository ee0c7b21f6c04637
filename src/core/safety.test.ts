/**
 * What must hold in whatever situation, each thing once: over generated moments of a switchover, of a failover, of a
 * return, and of states that should never be. The invariants are those of the modules that carry them (rules/lease.ts,
 * switchover.ts, failover.ts, primary.ts, standby.ts).
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { blocked, momentOf, operationId, paused, resumed, type Scene } from '../../test/fixtures/scene.ts';
import { ttlMs } from '../../test/fixtures/spec.ts';
import {
  alone,
  endedJob,
  freeAfterMs,
  held,
  lsn,
  memberPrimary,
  memberStatus,
  members,
  nowMs,
  plus,
  primary,
  released,
  shutdownLsn,
  standby,
  stopped,
  stored,
} from '../../test/fixtures/view.ts';
import type { Action } from './actions.ts';
import type { ClusterView, StoreView } from './cluster-view.ts';
import { decide } from './decide.ts';
import { type Lease, leaseDeadlineMs } from './lease.ts';
import type { LocalPostgres } from './local-postgres.ts';
import type { OperationPhase } from './operation.ts';
import { cutTerm, promiseLeftMs } from './promise.ts';

const end = lsn(shutdownLsn);
const states: readonly LocalPostgres[] = [
  primary(),
  standby({ at: plus(end, -1) }),
  standby({ at: plus(end, 1) }),
  standby({ at: plus(end, 1), timeline: 2 }),
  standby({ receiver: 'none', cannotStream: 'diverged' }),
  alone({ at: plus(end, 1) }),
  alone({ walEnd: null }),
  stopped(),
  stopped({ lastRole: 'standby' }),
  stopped({ shutdown: 'crashed' }),
  stopped({ systemIdentifier: '8' }),
  stopped({ timeline: 2 }),
  { state: 'starting', pid: 5 },
  { state: 'stopping', pid: 5 },
  { state: 'unknown', because: 'silent', pid: 5 },
  { state: 'absent' },
  { state: 'unfinished' },
  { state: 'foreign', because: 'not ours' },
];
const leases: readonly (Lease | null)[] = [
  null,
  ...[4, 5, 6].flatMap((inTerm) => [held('db1', inTerm).value, held('db2', inTerm).value]),
  released('db2', 'db1', 6).value,
  released('db1', 'db2', 6).value,
  released('db1', null).value,
];
const published = { phase: 'stopped', shutdownLsn, timeline: 1 } as const;
const handedOver = { phase: 'handed-over', shutdownLsn, timeline: 1 } as const;
const phases: readonly (OperationPhase | null)[] = [
  { phase: 'pausing' },
  published,
  handedOver,
  { phase: 'finished', receipt: operationId },
  { phase: 'undone', reason: 'cancelled', detail: '' },
  null,
];
const jobs: readonly ClusterView['lastJobs'][] = [
  new Map(),
  ...(['stop', 'start', 'promote'] as const).flatMap((kind) => [
    new Map([endedJob(kind, 'done', 3_900)]),
    new Map([endedJob(kind, 'failed', 3_900)]),
    new Map([endedJob(kind, 'done', 50)]),
  ]),
];
const promises: readonly ClusterView['promise'][] = [
  { kind: 'none' },
  { kind: 'cut', term: 5 },
  { kind: 'cut', term: 6 },
  { kind: 'promised', term: 5, round: 1, untilMs: nowMs + 1, bootId: 'boot-1', cut: 0 },
  { kind: 'promised', term: 5, round: 1, untilMs: nowMs, bootId: 'boot-1', cut: 6 },
  { kind: 'promised', term: 5, round: 1, untilMs: nowMs + 9_000, bootId: 'boot-0', cut: 0 },
];
const ballot = (node: string) =>
  stored({ node, term: 6, timeline: 1, lsn: '0/3000129', bootId: 'boot-1', priority: 100, unfit: null });
const db1Writes = { members: members(memberStatus('db1', { postgres: memberPrimary() })) };
const stores: readonly Partial<StoreView>[] = [
  {},
  db1Writes,
  { ballots: new Map([['6/db3', ballot('db3')]]), durability: stored({ term: 5, standbys: ['db3'], k: 1 }) },
  { cluster: null },
  { confirmedAtMs: nowMs - 60_000 },
];

/** Moments in which something is about to happen; each scene is one of them with a few things changed. */
const moments: readonly Scene[] = [
  { self: 'db1', phase: { phase: 'pausing' }, postgres: primary() },
  { self: 'db1', phase: { phase: 'pausing' }, postgres: stopped(), lastJobs: new Map([endedJob('stop', 'done', 50)]) },
  { self: 'db1', phase: published, postgres: stopped() },
  { self: 'db2', phase: published, postgres: standby({ at: plus(end, 1) }) },
  { self: 'db2', phase: handedOver, postgres: standby({ at: plus(end, 1) }), lease: held('db2', 6).value },
  { self: 'db2', phase: handedOver, postgres: stopped({ lastRole: 'standby' }), lease: held('db2', 6).value },
  { self: 'db1', phase: handedOver, postgres: stopped(), lease: released('db2', 'db1', 6).value },
  { self: 'db2', phase: null, postgres: standby(), stillMs: freeAfterMs, looked: true },
  {
    self: 'db2',
    phase: null,
    postgres: alone(),
    stillMs: freeAfterMs,
    looked: true,
    promise: { kind: 'cut', term: 6 },
  },
  { self: 'db3', phase: null, postgres: alone(), promise: { kind: 'cut', term: 6 } },
  { self: 'db3', phase: null, postgres: stopped({ lastRole: 'standby' }), store: db1Writes },
  { self: 'db3', phase: null, postgres: { state: 'absent' }, store: db1Writes },
  { self: 'db1', phase: null, postgres: { state: 'absent' }, store: { cluster: null } },
];

const change: fc.Arbitrary<Partial<Scene>> = fc.oneof(
  fc.record({ self: fc.constantFrom('db1', 'db2', 'db3') }),
  fc.record({ phase: fc.constantFrom(...phases) }),
  fc.record({ postgres: fc.constantFrom(...states) }),
  fc.record({ lease: fc.constantFrom(...leases) }),
  fc.record({ plan: fc.record({ paceMs: fc.constantFrom(0, 50), forceAfterMs: fc.constantFrom(null, 400) }) }),
  fc.record({ report: fc.constantFrom(null, paused, blocked, resumed) }),
  fc.record({ requests: fc.record({ driving: fc.constantFrom(null, operationId), reinit: fc.boolean() }) }),
  fc.record({ requests: fc.constant({ cancelOperation: operationId }) }),
  fc.record({ lastJobs: fc.constantFrom(...jobs) }),
  fc.record({ promise: fc.constantFrom(...promises) }),
  fc.record({ store: fc.constantFrom(...stores) }),
  fc.record({ elapsedMs: fc.nat(12_000) }),
  fc.record({ renewalAgeMs: fc.option(fc.nat(8_000)) }),
  fc.record({ stillMs: fc.constantFrom(0, freeAfterMs - 1, freeAfterMs), looked: fc.boolean() }),
);
const anyScene: fc.Arbitrary<Scene> = fc
  .tuple(fc.constantFrom(...moments), fc.array(change, { maxLength: 5 }))
  .map(([moment, changes]) => Object.assign({}, moment, ...changes));

type Seen = { readonly scene: Scene; readonly actions: readonly Action[]; readonly view: ClusterView };

/** Checks it wherever `when` is true, and that this was often enough to say something. */
function inEvery(when: (seen: Seen) => boolean, check: (seen: Seen) => void): void {
  let met = 0;
  const property = fc.property(anyScene, (scene) => {
    const { view, memory } = momentOf(scene);
    const seen = { scene, view, actions: decide(view, memory).actions };
    if (!when(seen)) return;
    met += 1;
    check(seen);
  });
  fc.assert(property, { numRuns: 5_000 });
  expect(met).toBeGreaterThan(20);
}

const does =
  (...names: readonly Action['do'][]) =>
  ({ actions }: Seen): boolean =>
    actions.some((action) => names.includes(action.do));
const empowers = (action: Action): boolean =>
  action.do === 'promote' || (action.do === 'start' && action.as === 'primary');
/** What is done under the lease as it stands: a handover comes first, and is a term of its own. */
const inTerm = ({ actions }: Seen): readonly Action[] => {
  const handover = actions.findIndex((action) => action.do === 'take-handover');
  return handover < 0 ? actions : actions.slice(0, handover);
};
const holds = ({ scene, view }: Seen): boolean => {
  const lease = view.store.lease?.value;
  return lease?.state === 'held' && lease.holder === scene.self;
};
const isRenewed = ({ scene: { renewalAgeMs = 10 } }: Seen): boolean =>
  renewalAgeMs !== null && nowMs < leaseDeadlineMs(nowMs - renewalAgeMs, ttlMs);
/** Its counter stands still on this node's own clock, in sight of the store; or it was released to nobody by name. */
const isFree = ({ scene, view: { store } }: Seen): boolean => {
  const isStill = scene.stillMs === freeAfterMs && store.confirmedAtMs === nowMs;
  const isForAnybody = store.lease?.value.state === 'released' && store.lease.value.to === null;
  return scene.looked === true && (isStill || isForAnybody);
};

describe('the lease', () => {
  it('alone makes anything writable: held by this node, and renewed by this very process', () => {
    inEvery(
      (seen) => inTerm(seen).some(empowers),
      (seen) => expect([holds(seen), isRenewed(seen)]).toEqual([true, true]),
    );
  });

  it('gone or not renewed in time, ends a server that may be writable, before all else', () => {
    inEvery(
      (seen) => seen.scene.postgres.state === 'primary' && !(holds(seen) && isRenewed(seen)),
      ({ actions, view }) => {
        // Neither lease nor cluster: whatever runs there is none of ours, and is left alone.
        if (view.store.lease === null && view.store.cluster === null) return;
        expect(actions[0]).toMatchObject({ do: 'stop', drain: null, awaitStandby: null });
      },
    );
  });

  it('is given away only by a node that has stopped, and given back only by one that never left the old timeline', () => {
    inEvery(does('release-lease', 'publish-stopped'), ({ scene, actions }) => {
      expect(scene.postgres.state).toBe('stopped');
      const isGivenBack = actions.some((action) => action.do === 'release-lease' && action.to !== null);
      if (isGivenBack) expect(scene.postgres).toMatchObject({ timeline: 1, lastRole: 'standby' });
    });
  });

  it('is taken by election only when it is free, by who has cut itself off', () => {
    inEvery(does('take-lease', 'write-ballot'), (seen) => {
      expect(isFree(seen)).toBe(true);
      expect(cutTerm(seen.view.promise)).toBeGreaterThan(seen.view.store.lease?.value.term ?? 0);
      expect(seen.scene.postgres).toMatchObject({ state: 'standby', upstream: null, receiver: 'none' });
    });
  });
});

describe('a switchover', () => {
  it('keeps the old primary stopped while it is active', () => {
    const isActive = ({ scene }: Seen) => scene.phase?.phase === 'pausing' || scene.phase?.phase === 'stopped';
    inEvery(
      (seen) => seen.scene.self === 'db1' && isActive(seen) && holds(seen),
      ({ actions }) => expect(actions.filter(empowers)).toEqual([]),
    );
  });

  it('is handed over only to a target that has replayed past the shutdown, under the lease it began with', () => {
    inEvery(does('take-handover'), ({ scene, view }) => {
      expect(scene).toMatchObject({ self: 'db2', phase: published });
      expect(view.store.lease?.value).toEqual(held('db1').value);
      expect(scene.postgres).toMatchObject({ state: 'standby', timeline: 1, replayedLsn: plus(end, 1) });
    });
  });

  it('is handed over as soon as the target has replayed past the shutdown on its timeline', () => {
    const bytes = fc.oneof(fc.integer({ min: -3, max: 3 }), fc.integer({ min: -0x2000000, max: 0x2000000 }));
    fc.assert(
      fc.property(bytes, fc.integer({ min: 1, max: 3 }), fc.constantFrom(0, 50), (delta, timeline, paceMs) => {
        const postgres = standby({ at: plus(end, delta), timeline });
        const phase = { ...published, timeline: 2 };
        const { view, memory } = momentOf({ self: 'db2', phase, postgres, plan: { paceMs } });
        const acts = decide(view, memory).actions.map((action) => action.do);
        const isPast = delta > 0 && timeline === 2;
        expect(acts.includes('take-handover')).toBe(isPast);
        expect(acts.includes('promote')).toBe(isPast && paceMs === 0);
      }),
    );
  });
});

describe('a node', () => {
  it('that has cut itself off for a term makes nothing writable, and follows nobody, in a lower one', () => {
    inEvery(
      ({ view }) => view.store.lease !== null && cutTerm(view.promise) > view.store.lease.value.term,
      (seen) => {
        for (const action of inTerm(seen)) {
          expect(empowers(action)).toBe(false);
          expect(action.do).not.toBe('follow');
          if (action.do === 'start' && action.as === 'standby') expect(action.from).toBeNull();
        }
      },
    );
  });

  it('cuts itself off only when the lease is free, and never while a promise binds it', () => {
    inEvery(does('cut'), (seen) => {
      expect(isFree(seen)).toBe(true);
      expect(promiseLeftMs(seen.view.promise, seen.view)).toBe(0);
    });
  });

  it('initialises only over nothing, as the holder of the lease of a cluster that is not there yet', () => {
    inEvery(does('initialise'), (seen) => {
      expect(['absent', 'unfinished']).toContain(seen.scene.postgres.state);
      expect([holds(seen), seen.view.store.cluster]).toEqual([true, null]);
    });
  });

  it('clones only over nothing, over what can not stream any more, or what it was told to; never as the holder', () => {
    inEvery(does('clone'), (seen) => {
      const { postgres } = seen.scene;
      const isEmpty = postgres.state === 'absent' || postgres.state === 'unfinished';
      const isStuck = postgres.state === 'standby' && postgres.cannotStream !== null;
      expect(isEmpty || isStuck || seen.scene.requests?.reinit).toBe(true);
      if ('systemIdentifier' in postgres) expect(postgres.systemIdentifier).toBe('7');
      expect(holds(seen)).toBe(false);
    });
  });
});
