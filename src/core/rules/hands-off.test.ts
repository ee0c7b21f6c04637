/** Hands off: nothing happens that is not needed to stay safe, and it ends by itself. */
import { describe, expect, it } from 'vitest';
import {
  alone,
  clusterView,
  freeAfterMs,
  held,
  memberPrimary,
  memberStatus,
  members,
  memoryRenewed,
  nowMs,
  operation,
  peer,
  primary,
  released,
  standby,
  stopped,
  stored,
  type ViewChange,
} from '../../../test/fixtures/view.ts';
import { decide } from '../decide.ts';
import type { HandsOff } from '../hands-off.ts';
import type { LocalPostgres } from '../local-postgres.ts';
import type { DatabaseMemory } from '../memory.ts';

const twoHours: HandsOff = { by: 'kim', at: '2026-11-20T00:00:00.000Z', forMs: 7_200_000, leftMs: 7_200_000 };
const handsOff = stored(twoHours, 30);
const settled = (memory: DatabaseMemory): DatabaseMemory => ({
  ...memory,
  slotsKey: 'known',
  slotsDoneAtMs: nowMs,
  durabilityWritten: 5,
});

/** Slots and status are chores of no consequence. */
function actions(view: ViewChange, memory: DatabaseMemory): readonly string[] {
  const { actions: all } = decide(clusterView(view), memory);
  return all.map((action) => action.do).filter((name) => !['publish-status', 'apply-slots'].includes(name));
}

describe('with hands off', () => {
  it.each<[string, LocalPostgres, ViewChange]>([
    ['a holder does not start its server', stopped(), {}],
    ['a holder does not end a server that hangs', { state: 'unknown', because: 'no answer', pid: 50 }, {}],
    ['a holder does not promote', standby(), {}],
    ['a primary is given neither settings nor databases', primary(), {}],
    ['a standby is not cloned', standby({ cannotStream: 'diverged' }), { self: 'db2', store: writableHolder() }],
    ['a standby does not follow another', standby({ upstream: 'db3' }), { self: 'db2', store: writableHolder() }],
    ['an empty directory stays empty', { state: 'absent' }, { self: 'db2', store: writableHolder() }],
    ['a stopped standby stays stopped', stopped(), { self: 'db2', store: writableHolder() }],
    ['a node that left the spec is left running', standby(), { self: 'db9', store: writableHolder() }],
  ])('%s', (_, postgres, change) => {
    const memory = settled(memoryRenewed(10));
    const hung = { ...memory, unansweringSinceMs: nowMs - 60_000 };
    expect(actions({ ...change, postgres, store: { ...change.store, handsOff } }, hung)).toEqual([]);
    // The same moment without it: something would be done.
    expect(actions({ ...change, postgres }, hung)).not.toEqual([]);
  });

  it('nobody is elected, whether the lease ran out or was released', () => {
    const memory = {
      ...settled(memoryRenewed(null)),
      leaseWatch: { key: '40 41', sinceMs: nowMs - 2 * freeAfterMs, lookedAtMs: nowMs },
    };
    for (const lease of [held('db1'), released('db1', null)]) {
      const view = { self: 'db2', postgres: alone(), store: { lease, handsOff } } as const;
      expect(actions(view, memory)).toEqual([]);
      expect(actions({ ...view, store: { lease } }, memory)).not.toEqual([]);
    }
  });

  it('the lease is renewed, and a server without the right to be primary is stopped', () => {
    expect(actions({ store: { handsOff } }, settled(memoryRenewed(2_000)))).toEqual(['renew-lease']);
    const foreign = { self: 'db2', postgres: primary(), store: { handsOff } };
    expect(actions(foreign, settled(memoryRenewed(null)))).toEqual(['stop']);
    expect(actions({ store: { handsOff } }, settled(memoryRenewed(10_000)))).toContain('stop');
  });

  it('what outlived its postmaster is ended', () => {
    const view = { postgres: { state: 'orphaned', pid: 50 } as const, store: { handsOff } };
    expect(actions(view, settled(memoryRenewed(10)))).toEqual(['stop']);
  });

  it('the synchronous standbys stay as they are, save that a server goes back to what its record demands', () => {
    const durability = stored({ term: 5, standbys: ['db2', 'db3'], k: 1 });
    const seen = (syncSet: { standbys: readonly string[]; k: number }) =>
      actions(
        { postgres: primary({ syncSet, peers: [peer('db2')] }), store: { durability, handsOff } },
        settled(memoryRenewed(10)),
      );
    expect(seen({ standbys: ['db2', 'db3'], k: 1 })).toEqual([]);
    expect(seen({ standbys: [], k: 0 })).toEqual(['set-sync-standbys']);
  });

  it('a switchover that is under way goes on', () => {
    const moving = stored(operation({ phase: 'pausing' }), 17);
    const { reasons } = decide(clusterView({ store: { handsOff, operation: moving } }), settled(memoryRenewed(10)));
    expect(reasons.map(({ code }) => code)).not.toContain('hands-off');
  });
});

describe('the end of it', () => {
  const leftAfter = (ms: number, self = 'db1') =>
    actions(
      { self, postgres: self === 'db1' ? primary() : standby(), store: { handsOff } },
      { ...settled(memoryRenewed(10)), handsOff: { revision: 30, sinceMs: nowMs - ms } },
    );

  it('comes when the whole time was counted since the record was seen', () => {
    expect(leftAfter(7_200_000)).toEqual(['end-hands-off']);
  });

  it('is counted down in the store by the holder, and by others only when it does not', () => {
    expect(leftAfter(59_000)).toEqual([]);
    expect(leftAfter(60_000)).toEqual(['count-hands-off']);
    expect(leftAfter(60_000, 'db2')).toEqual([]);
    expect(leftAfter(75_000, 'db2')).toEqual(['count-hands-off']);
  });

  it('is counted anew from each write of the record', () => {
    const first = decide(clusterView({ store: { handsOff } }), memoryRenewed(10)).memory;
    const later = clusterView({ nowMs: nowMs + 30_000, store: { handsOff: stored(twoHours, 31) } });
    expect(decide(later, first).memory.handsOff).toEqual({ revision: 31, sinceMs: nowMs + 30_000 });
  });
});

function writableHolder() {
  return { members: members(memberStatus('db1', { postgres: memberPrimary() })) };
}
