/** What a person is told who asks for a failover: db1 held term 5, any one of db2 and db3 acknowledged, db2 is asked. */
import { describe, expect, it } from 'vitest';
import {
  alone,
  clusterView,
  freeAfterMs,
  memoryOfAMinute,
  nowMs,
  released,
  stored,
  type ViewChange,
} from '../../../test/fixtures/view.ts';
import type { Ballot } from '../ballot.ts';
import type { Stored } from '../cluster-view.ts';
import { assess } from '../situation.ts';
import type { NodeName } from '../spec.ts';
import { planFailover } from './failover-order.ts';

const durability = stored({ term: 5, standbys: ['db2', 'db3'], k: 1 }, 30);
const ballot = (node: string, lsn = '0/3000100', unfit: string | null = null): Stored<Ballot> =>
  stored({ node, term: 6, timeline: 1, lsn, bootId: 'boot-1', priority: 100, unfit });
const ballots = (...all: Stored<Ballot>[]) => new Map(all.map((one) => [`6/${one.value.node}`, one]));

/** Asked when the lease stood still for so long; by default long enough for every ballot. */
function plan(
  store: ViewChange['store'],
  to: NodeName | null = null,
  stillMs = freeAfterMs + 15_000,
  watched: string | null = null,
) {
  const view = clusterView({ self: 'db2', postgres: alone(), store: { durability, ...store } });
  const key = watched ?? `${view.store.lease?.revision} ${view.store.renewal?.revision}`;
  const memory = { ...memoryOfAMinute(), leaseWatch: { key, sinceMs: nowMs - stillMs, lookedAtMs: null } };
  return planFailover(assess(view, memory), to);
}
const refusals = (of: ReturnType<typeof plan>) => of?.blockers.map(({ blockedBy }) => blockedBy);

describe('a failover that a person asks for', () => {
  it('is refused while the primary renews, and waits until its lease is free', () => {
    expect(refusals(plan({}, null, 1_000))).toEqual(['lease-held']);
    expect(plan({}, null, freeAfterMs - 700)).toMatchObject({ waitMs: 700, blockers: [] });
    // A watch of an earlier renewal says nothing of this one.
    expect(refusals(plan({}, null, freeAfterMs, 'another renewal'))).toEqual(['lease-held']);
  });

  it('waits for the ballots of live nodes, and not for ever', () => {
    expect(plan({}, null, freeAfterMs)).toMatchObject({ waitMs: expect.any(Number), blockers: [] });
    expect(refusals(plan({}))).toEqual(['nobody-heard']);
    expect(plan({ lease: released('db1', null) }, null, 0)?.waitMs).not.toBeNull();
  });

  it('is needed by nobody who is elected without a loss', () => {
    const both = { ballots: ballots(ballot('db2'), ballot('db3')) };
    expect(plan(both)).toMatchObject({ winner: 'db2', loss: null, blockers: [] });
    expect(plan(both, 'db2')).toMatchObject({ winner: 'db2', blockers: [] });
    expect(refusals(plan(both, 'db3'))).toEqual(['elected-other']);
  });

  it('tells what would be lost where too few are heard', () => {
    const renewal = stored({ term: 5, counter: 9, written: { timeline: 1, lsn: '0/3000200' } }, 41);
    expect(plan({ renewal, ballots: ballots(ballot('db2')) })).toMatchObject({
      term: 6,
      counter: 9,
      lastHolder: 'db1',
      winner: null,
      unheard: ['db3'],
      loss: {
        node: 'db2',
        covers: 'unheard',
        atLeastBytes: 256,
        unknownAfter: { timeline: 1, lsn: '0/3000100' },
      },
      blockers: [],
    });
  });

  it('covers what heard nodes have only where nothing less elects anybody', () => {
    const ahead = ballots(ballot('db2'), ballot('db3', '0/3000300', 'its disk is full'));
    expect(plan({ ballots: ahead })).toMatchObject({ loss: { node: 'db2', covers: 'all', atLeastBytes: 512 } });
    const named = ballots(ballot('db2'), ballot('db4', '0/3000300'));
    expect(plan({ ballots: named }, 'db2')).toMatchObject({ loss: { node: 'db2', covers: 'all' } });
  });

  it('names what keeps the nodes from being elected whatever is lost', () => {
    expect(plan({ ballots: ballots(ballot('db2', '0/3000100', 'its replay is paused')) })).toMatchObject({
      loss: null,
      blockers: [{ blockedBy: 'unfit', text: 'db2: its replay is paused' }],
    });
    expect(refusals(plan({ ballots: ballots(ballot('db2')) }, 'db3'))).toEqual(['not-heard']);
    expect(refusals(plan({ ballots: ballots(ballot('db2')) }, 'db9'))).toEqual(['unknown-node']);
  });

  it('is refused with hands off, and has no meaning without a lease', () => {
    const handsOff = stored({ by: 'kim', at: '', forMs: 1, leftMs: 1 });
    expect(refusals(plan({ handsOff, ballots: ballots(ballot('db2')) }))).toEqual(['hands-off']);
    expect(plan({ lease: null })).toBeNull();
  });
});
