/** A switchover from db1 to db2 as each side decides it, in every situation; what holds in all of them: safety.test.ts. */
import { describe, expect, it } from 'vitest';
import { blocked, momentOf, operationId, paused, resumed, type Scene } from '../../../test/fixtures/scene.ts';
import { ttlMs } from '../../../test/fixtures/spec.ts';
import { acts, verdict } from '../../../test/fixtures/verdict.ts';
import {
  endedJob,
  held,
  lsn,
  nowMs,
  plus,
  poolerReport,
  primary,
  released,
  shutdownLsn,
  standby,
  stopped,
} from '../../../test/fixtures/view.ts';
import { decide } from '../decide.ts';
import type { LocalPostgres } from '../local-postgres.ts';
import type { OperationPhase } from '../operation.ts';

const pausing: OperationPhase = { phase: 'pausing' };
const published: OperationPhase = { phase: 'stopped', shutdownLsn, timeline: 1 };
const handedOver: OperationPhase = { phase: 'handed-over', shutdownLsn, timeline: 1 };
const undone: OperationPhase = { phase: 'undone', reason: 'cancelled', detail: '' };
const past = (bytes: number, change: Parameters<typeof standby>[0] = {}) =>
  standby({ at: plus(lsn(shutdownLsn), bytes), ...change });
const ended = (...job: Parameters<typeof endedJob>) => new Map([endedJob(...job)]);

function decideIn(scene: Scene) {
  const { view, memory } = momentOf(scene);
  return decide(view, memory);
}
const decided = (scene: Scene): string => verdict(decideIn(scene));

describe('the old primary', () => {
  const on = (postgres: LocalPostgres, more: Partial<Scene> = {}): Scene => ({
    self: 'db1',
    phase: pausing,
    postgres,
    ...more,
  });
  const waiting = on(stopped(), { phase: published });
  const ownStop = ended('stop', 'done');

  it.each<[string, Scene, string]>([
    ['nothing heard', on(primary(), { report: null }), 'wait draining'],
    ['still open', on(primary(), { report: poolerReport() }), 'wait draining'],
    ['paused for another operation', on(primary(), { report: { ...paused, operation: 'R-0006' } }), 'wait draining'],
    ['a pooler waits for a client', on(primary(), { report: blocked }), 'wait draining'],
    ['before force', on(primary(), { report: blocked, plan: { forceAfterMs: 501 } }), 'wait draining'],
    ['force', on(primary(), { report: blocked, plan: { forceAfterMs: 500 } }), 'end 4711'],
    ['drained', on(primary()), 'stop'],
    ['no poolers at all', on(primary(), { plan: { poolers: [] }, report: null }), 'stop'],
    ['drained, at a pace', on(primary(), { plan: { paceMs: 50 } }), 'wait paced'],
    ['stopping', on({ state: 'stopping', pid: 5 }), 'wait awaiting-postgres'],
    ['stopped by its own stop', on(stopped(), { lastJobs: ownStop }), 'publish-stopped'],
    ['stopped without a job', on(stopped()), 'undo primary-failed'],
    ['an older stop', on(stopped(), { lastJobs: ended('stop', 'done', 401) }), 'undo primary-failed'],
    ['crashed', on(stopped({ shutdown: 'crashed' }), { lastJobs: ownStop }), 'undo primary-failed'],
    ['published', waiting, 'wait awaiting-target'],
  ])('%s', (_, scene, expected) => {
    expect(decided(scene)).toBe(expected);
  });

  it('stops only together with the target, within the limits of the plan', () => {
    expect(acts(decideIn(on(primary(), { plan: { forceAfterMs: 700 } })))).toMatchObject([
      { do: 'stop', awaitStandby: 'db2', patienceMs: 4_000, drain: { endAfterMs: 700 } },
    ]);
  });

  it('is writable meanwhile, and so waits for direct clients never past the lease as it stands', () => {
    const withinMs = (renewalAgeMs: number) => {
      const [stop] = acts(decideIn(on(primary(), { renewalAgeMs })));
      return stop?.do === 'stop' ? stop.drain?.withinMs : null;
    };
    expect(withinMs(10)).toBe(4_930);
    expect(withinMs(900)).toBe(4_040);
  });

  it('publishes where it shut down, against the operation and the lease that it saw', () => {
    expect(acts(decideIn(on(stopped(), { lastJobs: ownStop })))).toMatchObject([
      {
        do: 'publish-stopped',
        shutdownLsn,
        timeline: 1,
        operation: { revision: 17, value: { id: operationId } },
        lease: { revision: 40, value: { term: 5 } },
      },
    ]);
  });

  it.each<[string, Scene, string]>([
    ['drain in time', on(primary(), { report: blocked, elapsedMs: 5_000 }), 'wait draining'],
    ['drain too late', on(primary(), { report: blocked, elapsedMs: 5_001 }), 'undo drain-timeout'],
    ['stop failed', on(primary(), { lastJobs: ended('stop', 'failed') }), 'undo stop-timeout'],
    ['an older stop failed', on(primary(), { lastJobs: ended('stop', 'failed', 800) }), 'stop'],
    ['agent restarted, pausing', on(primary(), { requests: { driving: null } }), 'undo agent-restarted'],
    ['agent restarted, stopped', { ...waiting, requests: { driving: null } }, 'undo agent-restarted'],
    ['cancelled, pausing', on(primary(), { requests: { cancelOperation: operationId } }), 'undo cancelled'],
    ['cancelled, stopped', { ...waiting, requests: { cancelOperation: operationId } }, 'undo cancelled'],
    ['another one cancelled', on(primary(), { requests: { cancelOperation: 'R-0006' } }), 'stop'],
    ['handover in time', { ...waiting, elapsedMs: 3_000 }, 'wait awaiting-target'],
    ['handover too late', { ...waiting, elapsedMs: 3_001 }, 'undo handover-timeout'],
    ['handover too late, at a pace', { ...waiting, elapsedMs: 3_001, plan: { paceMs: 50 } }, 'wait awaiting-target'],
    ['begun in another term', on(primary(), { plan: { term: 4 } }), 'undo lease-lost'],
    ['begun by another node', on(primary(), { plan: { from: 'db2', to: 'db1' } }), 'undo lease-lost'],
  ])('undo: %s', (_, scene, expected) => {
    expect(decided(scene)).toBe(expected);
  });

  it.each([
    ['for long enough is given up', 6_000, true, 'undo target-lost'],
    ['a little less long is waited for', 5_999, true, 'wait awaiting-target'],
    ['since before this agent saw it is waited for', 60_000, false, 'wait awaiting-target'],
  ])('a target that has been silent %s', (_, silentMs, moved, expected) => {
    const { view, memory } = momentOf(waiting);
    const memberSeen = new Map([['db2', { counter: 3, atMs: nowMs - silentMs, moved }]]);
    expect(verdict(decide(view, { ...memory, memberSeen }))).toBe(expected);
  });

  it('draws a receipt of the undone operation that names what held it up', () => {
    const [undo] = acts(decideIn(on(primary(), { report: blocked, elapsedMs: 5_001 })));
    expect(undo).toMatchObject({
      receipt: { id: operationId, outcome: 'undone', undoReason: 'drain-timeout', termBefore: 5, termAfter: 5 },
      detail: 'web1 waits for shop pid 4711 for web1:5000 since 2.5 s',
    });
  });

  it('starts again only after the operation is undone, and on a fresh renewal', () => {
    expect(decided({ ...waiting, phase: undone })).toBe('start primary');
    expect(decided({ ...waiting, phase: undone, renewalAgeMs: null })).toBe('renew-lease');
  });

  it('demotes at its deadline in the middle of it', () => {
    expect(acts(decideIn(on(primary(), { renewalAgeMs: 4_940 })))).toMatchObject([
      { do: 'stop', awaitStandby: null, drain: null, because: ['lease-expired'] },
    ]);
  });

  it.each<[string, LocalPostgres, string]>([
    ['stopped', stopped(), 'take-released-lease'],
    ['as a standby already', past(1), 'take-released-lease'],
    ['not while PostgreSQL runs up', { state: 'starting', pid: 5 }, 'wait released-to-me'],
  ])('takes back a lease released to it by name, %s', (_, postgres, expected) => {
    const scene = on(postgres, { phase: handedOver, lease: released('db2', 'db1', 6).value });
    expect(decided(scene)).toBe(expected);
    const [take] = acts(decideIn(scene));
    if (take?.do !== 'take-released-lease') return;
    expect(take.undo).toMatchObject({ reason: 'promote-timeout', receipt: { termBefore: 5, termAfter: 7 } });
    expect(decided({ ...scene, phase: null })).toBe('take-released-lease');
  });
});

describe('the target', () => {
  const at = (postgres: LocalPostgres, more: Partial<Scene> = {}): Scene => ({
    self: 'db2',
    phase: published,
    postgres,
    ...more,
  });

  it.each<[string, Scene, string]>([
    ['pausing', at(past(1), { phase: pausing }), 'wait target-of-switchover'],
    ['replay behind', at(past(-1)), 'wait replay-behind'],
    ['at the checkpoint record, not past it', at(past(0)), 'wait replay-behind'],
    ['past it', at(past(1)), 'take-handover, promote'],
    ['past it, at a pace', at(past(1), { plan: { paceMs: 50 } }), 'take-handover'],
    ['pace not over', at(past(1), { plan: { paceMs: 600 } }), 'wait paced'],
    ['another timeline', at(past(1, { timeline: 2 })), 'refuse not-a-standby'],
    ['not running', at(stopped({ lastRole: 'standby' })), 'refuse not-a-standby'],
    ['the lease moved on', at(past(1), { lease: held('db1', 6).value }), 'refuse lease-moved'],
    ['not the target', at(past(1), { plan: { to: 'db3' } }), 'wait lease-held-by-other'],
    ['undone', at(past(1), { phase: undone }), 'wait lease-held-by-other'],
  ])('%s', (_, scene, expected) => {
    expect(decided(scene)).toBe(expected);
  });

  it('takes over against the very record and lease that it saw', () => {
    expect(acts(decideIn(at(past(1))))).toMatchObject([
      { do: 'take-handover', ttlMs, operation: { revision: 17 }, lease: { revision: 40, value: { holder: 'db1' } } },
      { do: 'promote', withinMs: 3_000 },
    ]);
  });

  it('promotes after a paced handover on its next look', () => {
    const scene = at(past(1), { phase: handedOver, lease: held('db2', 6).value, plan: { paceMs: 400 } });
    expect(decided(scene)).toBe('promote');
    expect(decided({ ...scene, elapsedMs: 399 })).toBe('wait paced');
  });
});

describe('the new primary', () => {
  const as = (postgres: LocalPostgres, more: Partial<Scene> = {}): Scene => ({
    self: 'db2',
    phase: handedOver,
    lease: held('db2', 6).value,
    postgres,
    report: null,
    ...more,
  });
  const promoted = primary({ timeline: 2 });
  const down = stopped({ lastRole: 'standby' });
  const failed = ended('promote', 'failed');

  it.each<[string, Scene, string]>([
    ['not promoted yet', as(past(1)), 'promote'],
    ['without a fresh renewal', as(past(1), { renewalAgeMs: null }), 'renew-lease'],
    ['writable, nothing heard', as(promoted), 'wait holds-lease'],
    ['writable, still paused', as(promoted, { report: paused }), 'wait holds-lease'],
    ['serving in the old term', as(promoted, { report: { ...resumed, term: 5 } }), 'wait holds-lease'],
    ['the poolers resumed just now', as(promoted, { report: resumed, resumedAgeMs: 20 }), 'wait first-commits'],
    ['the poolers have resumed', as(promoted, { report: resumed, resumedAgeMs: 100 }), 'finish-operation'],
    ['promotion failed', as(past(1), { lastJobs: failed }), 'stop'],
    ['promotion too late', as(past(1), { elapsedMs: 3_001 }), 'stop'],
    ['stopped, never left the timeline', as(down, { lastJobs: failed }), 'release-lease to db1'],
    ['left the timeline', as(stopped({ timeline: 2 }), { lastJobs: failed }), 'start primary'],
    ['ran as primary on it', as(stopped(), { lastJobs: failed }), 'start primary'],
    ['an earlier promotion failed', as(down, { lastJobs: ended('promote', 'failed', 500) }), 'start standby of nobody'],
    ['the lease moved on', as(promoted, { lease: held('db2', 7).value }), 'undo lease-lost'],
  ])('%s', (_, scene, expected) => {
    expect(decided(scene)).toBe(expected);
  });

  it('finishes with a receipt of the new term and timeline', () => {
    const [finish] = acts(decideIn(as(promoted, { report: resumed, resumedAgeMs: 100 })));
    expect(finish).toMatchObject({
      receipt: { outcome: 'finished', termBefore: 5, termAfter: 6, timelineBefore: 1, timelineAfter: 2, pauseMs: 240 },
    });
  });

  it('does not stop a server that became writable, however late', () => {
    expect(decided(as(promoted, { elapsedMs: 60_000, lastJobs: failed }))).toBe('wait holds-lease');
  });
});
