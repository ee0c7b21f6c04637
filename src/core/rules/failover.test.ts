/** From a lease that nobody renews to a new holder, as db2 decides it; the whole course of one: test/transcripts. */
import { describe, expect, it } from 'vitest';
import { acts } from '../../../test/fixtures/verdict.ts';
import {
  alone,
  clusterView,
  endedJob,
  freeAfterMs,
  lsn,
  memberPrimary,
  memberStatus,
  members,
  memoryOfAMinute,
  memoryRenewed,
  noRequests,
  nowMs,
  operation,
  primary,
  released,
  standby,
  stopped,
  stored,
  type ViewChange,
} from '../../../test/fixtures/view.ts';
import type { Action } from '../actions.ts';
import type { Ballot } from '../ballot.ts';
import type { Stored, StoreView } from '../cluster-view.ts';
import { decide } from '../decide.ts';
import { type DatabaseMemory, learn } from '../memory.ts';

const cut = { kind: 'cut', term: 6 } as const;
const durability = stored({ term: 5, standbys: ['db2', 'db3'], k: 1 }, 30);
const ballot = (node: string, lsn = '0/3000100'): Stored<Ballot> =>
  stored({ node, term: 6, timeline: 1, lsn, bootId: 'boot-1', priority: 100, unfit: null });
const ballots = (...all: Stored<Ballot>[]) => new Map(all.map((one) => [`6/${one.value.node}`, one]));

/** db2's view of a cluster in which any one of db2 and db3 acknowledges. */
const seen = ({ store, ...change }: ViewChange) =>
  clusterView({ self: 'db2', postgres: standby(), ...change, store: { durability, ...store } });
const told = (decision: { readonly actions: readonly Action[] }) => acts(decision).map((action) => action.do);

/** The memory of an agent that sees this lease stand still from `nowMs` on. */
const watching = (change: ViewChange): DatabaseMemory => decide(seen(change), memoryOfAMinute()).memory;

/** What is decided when the lease stood still for TTL + drift, and a look found it unchanged. */
function decideWhenFree(change: ViewChange, afterMs = freeAfterMs) {
  const at = { ...change, nowMs: nowMs + afterMs };
  const first = decide(seen(at), watching(change));
  const look = acts(first)[0];
  if (look?.do !== 'look-at-lease') return first;
  return decide(seen(at), learn(first.memory, { kind: 'lease-looked', key: look.key, atMs: nowMs + afterMs }));
}

describe('a lease that nobody renews', () => {
  it('is free only after TTL + drift, and only after a look', () => {
    const at = (afterMs: number) => told(decide(seen({ nowMs: nowMs + afterMs }), watching({})));
    expect(at(freeAfterMs - 1)).toEqual([]);
    expect(at(freeAfterMs)).toEqual(['look-at-lease']);
    expect(told(decideWhenFree({}))).toEqual(['cut']);
  });

  it('is looked at again the moment that it may be free', () => {
    const soon = decide(seen({ nowMs: nowMs + freeAfterMs - 7 }), watching({}));
    expect(soon.lookAgainInMs).toBe(7);
  });

  it('is not free while its counter moves, or while the store is out of sight', () => {
    const at = nowMs + freeAfterMs;
    const renewal = stored({ term: 5, counter: 10 }, 42);
    expect(told(decide(seen({ nowMs: at, store: { renewal } }), watching({})))).toEqual([]);
    const unseen = decide(seen({ nowMs: at, store: { confirmedAtMs: nowMs } }), watching({}));
    expect(told(unseen)).toEqual([]);
    // The count begins anew when the store is back.
    expect(told(decide(seen({ nowMs: at + 10 }), unseen.memory))).toEqual([]);
  });

  it('has stood still since its last renewal came, whenever this node looked', () => {
    const store = { renewal: stored({ term: 5, counter: 10 }, 42), leaseSeenAtMs: nowMs + 100 };
    const { memory } = decide(seen({ nowMs: nowMs + 900, store }), watching({}));
    const at = (afterMs: number) => told(decide(seen({ nowMs: nowMs + 100 + afterMs, store }), memory));
    expect(at(freeAfterMs - 1)).toEqual([]);
    expect(at(freeAfterMs)).toEqual(['look-at-lease']);
    // What was seen before the store went out of sight counts for nothing.
    const unseen = decide(seen({ nowMs: nowMs + 6_000, store: { ...store, confirmedAtMs: nowMs } }), memory);
    expect(told(decide(seen({ nowMs: nowMs + 100 + freeAfterMs, store }), unseen.memory))).toEqual([]);
  });

  it('is free at once when it was released to whoever is elected', () => {
    expect(told(decideWhenFree({ store: { lease: released('db1', null) } }, 0))).toEqual(['cut']);
  });

  it('is left alone by who has promised not to cut, until then', () => {
    const promise = { kind: 'promised', term: 5, round: 1, bootId: 'boot-1', cut: 0 } as const;
    const untilMs = nowMs + freeAfterMs;
    expect(told(decideWhenFree({ promise: { ...promise, untilMs: untilMs + 1 } }))).toEqual([]);
    expect(told(decideWhenFree({ promise: { ...promise, untilMs } }))).toEqual(['cut']);
  });
});

describe('a cut', () => {
  const looksCut = (cutOff: DatabaseMemory['cutOff'], lastJobs: ViewChange['lastJobs'] = new Map()) => {
    const change = { postgres: alone(), promise: cut, lastJobs };
    const at = { ...change, nowMs: nowMs + freeAfterMs };
    const memory = { ...watching(change), cutOff };
    const key = memory.leaseWatch?.key ?? '';
    return told(decide(seen(at), learn(memory, { kind: 'lease-looked', key, atMs: nowMs + freeAfterMs })));
  };

  it('is what came to its end on this very server, not what looks like one', () => {
    expect(looksCut(null)).toEqual(['cut']);
    expect(looksCut({ term: 6, pid: 49 })).toEqual(['cut']);
    expect(looksCut({ term: 5, pid: 50 })).toEqual(['cut']);
    expect(looksCut({ term: 6, pid: 50 })).toEqual(['write-ballot']);
  });

  it('that failed is made again, after a while', () => {
    const failed = (agoMs: number) => new Map([endedJob('cut', 'failed', agoMs - freeAfterMs)]);
    expect(looksCut(null, failed(199))).toEqual([]);
    expect(looksCut(null, failed(200))).toEqual(['cut']);
  });
});

describe('the last words', () => {
  it('of who released the lease are heard once, after the cut and before the ballot', () => {
    const change = { postgres: alone(), promise: cut, store: { lease: released('db1', null) } };
    expect(acts(decideWhenFree(change, 0))).toMatchObject([{ do: 'hear-last-words', from: 'db1', term: 6 }]);
    const first = decide(seen(change), watching(change));
    const key = first.memory.leaseWatch?.key ?? '';
    const looked = learn(first.memory, { kind: 'lease-looked', key, atMs: nowMs });
    const heard = learn(looked, { kind: 'last-words-heard', term: 6 });
    expect(told(decide(seen(change), heard))).toEqual(['write-ballot']);
  });
});

describe('a stopped server', () => {
  it('that was primary before the last holder starts alone, bound first, to say how far it is', () => {
    expect(acts(decideWhenFree({ postgres: stopped() }))).toMatchObject([
      { do: 'start', as: 'standby', from: null, cut: 6 },
    ]);
  });

  it('of the last holder is not started for an election', () => {
    const change = { self: 'db1', postgres: stopped(), store: { lease: released('db1', null) } };
    expect(told(decideWhenFree(change, 0))).toEqual([]);
  });
});

describe('an election', () => {
  const electing = (store: Partial<StoreView>, postgres = alone()) => {
    const change = { postgres, promise: cut, store };
    const first = decideWhenFree(change);
    const [write] = acts(first);
    if (write?.do !== 'write-ballot') return first;
    const at = nowMs + freeAfterMs;
    const memory = learn(first.memory, { kind: 'ballot-written', term: 6, key: write.key, atMs: at });
    const all = new Map([...(store.ballots ?? []), ['6/db2', stored(write.ballot)] as const]);
    return decide(seen({ ...change, nowMs: at, store: { ...store, ballots: all } }), memory);
  };

  it('begins with a ballot, once the position is known', () => {
    expect(acts(decideWhenFree({ postgres: alone(), promise: cut }))).toMatchObject([
      { do: 'write-ballot', ballot: { node: 'db2', term: 6, lsn: '0/3000100', unfit: null } },
    ]);
    expect(told(decideWhenFree({ postgres: alone({ walEnd: null }), promise: cut }))).toEqual([]);
  });

  it('is no election for a node whose certificate was revoked, and its position counts all the same', () => {
    const shutOut = new Set(['db2']);
    expect(acts(decideWhenFree({ postgres: alone(), promise: cut, store: { shutOut } }))).toMatchObject([
      { do: 'write-ballot', ballot: { node: 'db2', lsn: '0/3000100', unfit: 'its certificate was revoked' } },
    ]);
    expect(told(electing({ shutOut, ballots: ballots(ballot('db3')) }))).toEqual([]);
  });

  it('is won by one transaction that compares all that it was judged by', () => {
    expect(acts(electing({ ballots: ballots(ballot('db3')) }))).toMatchObject([
      {
        do: 'take-lease',
        lease: { revision: 40 },
        renewal: { revision: 41 },
        durability: { revision: 30 },
        timeline: { term: 6, timeline: 2, parent: 1, forkLsn: '0/3000100' },
      },
    ]);
  });

  it('records no fork that the promotion may not reach: its WAL may end inside a record', () => {
    const postgres = alone({ replayedLsn: lsn('0/30000F0') });
    const [take] = acts(electing({ ballots: ballots(ballot('db3')) }, postgres));
    expect(take).toMatchObject({ do: 'take-lease', timeline: { forkLsn: '0/30000F0' } });
  });

  it('waits for as many of the synchronous standbys as it takes, and says who is missing', () => {
    const waiting = electing({});
    expect(told(waiting)).toEqual([]);
    expect(waiting.reasons).toMatchObject([{ code: 'no-winner', text: expect.stringContaining('not heard: db3') }]);
    expect(waiting.refused).toMatchObject([{ what: 'elect db2' }]);
  });

  it('is not taken by who is behind', () => {
    const lost = electing({ ballots: ballots(ballot('db3', '0/3000101')) });
    expect(told(lost)).toEqual([]);
    expect(lost.reasons.map(({ code }) => code)).toEqual(['elected-other']);
  });

  it('goes on although the primary died in the middle of a switchover to this node', () => {
    const store = { operation: stored(operation({ phase: 'pausing' })) };
    expect(told(decideWhenFree({ store }))).toEqual(['cut']);
  });
});

describe('a node that has cut itself off', () => {
  it('does not follow, restart or clone towards a holder of a lower term', () => {
    const store = { members: members(memberStatus('db1', { postgres: memberPrimary() })) };
    for (const asked of [{}, { restart: true }, { reinit: true }]) {
      const change = { postgres: alone(), promise: cut, store, requests: { ...noRequests, ...asked } };
      const decision = decide(seen(change), watching(change));
      expect(told(decision)).toEqual([]);
      expect(decision.refused.map(({ blockedBy }) => blockedBy)).toEqual(['cut-off']);
    }
  });

  it.each<[string, Partial<StoreView>]>([
    ['its ballot', { ballots: ballots(ballot('db3')) }],
    ['its own word', { members: members(memberStatus('db3', { cutTerm: 6 })) }],
  ])('is heard by a living holder, by %s: that takes the next term and keeps its timeline', (_, store) => {
    const decision = decide(seen({ self: 'db1', postgres: primary(), store }), memoryRenewed(10));
    expect(acts(decision)).toMatchObject([{ do: 'take-next-term', timeline: { term: 6, timeline: 1 } }]);
  });

  it('starts nothing writable on a lease of a lower term', () => {
    const decision = decide(seen({ self: 'db1', postgres: stopped(), promise: cut }), memoryRenewed(10));
    expect(told(decision)).toEqual([]);
    expect(decision.refused[0]?.blockedBy).toBe('cut-off');
  });
});

describe('synchronous standbys', () => {
  it('that were set by hand are set back to what the record demands', () => {
    const memory = { ...memoryRenewed(10), durabilityWritten: 5 };
    const { actions } = decide(seen({ self: 'db1', postgres: primary({ syncSet: null }) }), memory);
    expect(actions.filter((action) => action.do === 'set-sync-standbys')).toMatchObject([
      { set: { standbys: ['db2', 'db3'], k: 1 } },
    ]);
  });
});
