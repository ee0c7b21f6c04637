import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Ballot, elect } from './ballot.ts';
import { type DurabilityRecord, neededBallots } from './durability.ts';
import { formatLsn, lsnFromOffset } from './lsn.ts';
import type { TimelineRecord } from './timelines.ts';

const nodes = ['db2', 'db3', 'db4'];
const at = (offset: number): string => formatLsn(lsnFromOffset(BigInt(offset)));
const first: TimelineRecord = { term: 1, timeline: 1, parent: null, forkLsn: '0/0' };
const timelines = new Map([[1, first]]);
const ballot = (node: string, offset: number, more: Partial<Ballot> = {}): Ballot => ({
  node,
  term: 2,
  timeline: 1,
  lsn: at(offset),
  bootId: 'boot',
  priority: 0,
  unfit: null,
  ...more,
});
const any = (k: number, ...standbys: string[]): DurabilityRecord => ({ term: 1, standbys, k });
/** Nothing was accepted, nothing is limited, and nobody knows how far db1 had written. */
const plain = {
  silent: new Set<string>(),
  written: null,
  lossLimitBytes: null,
  boots: {},
  candidates: null,
  accepted: null,
};
const election = (durability: DurabilityRecord | null, ...ballots: Ballot[]) =>
  elect({ term: 2, lastHolder: 'db1', durability, ballots, timelines, ...plain });

describe('an election', () => {
  it('is won by the furthest, then by priority, then by name', () => {
    const both = any(1, 'db2', 'db3');
    expect(election(both, ballot('db2', 200), ballot('db3', 300)).winner).toBe('db3');
    expect(election(both, ballot('db2', 300), ballot('db3', 300, { priority: 5 })).winner).toBe('db3');
    expect(election(both, ballot('db3', 300), ballot('db2', 300)).winner).toBe('db2');
  });

  it('needs R of the synchronous standbys', () => {
    const result = election(any(1, 'db2', 'db3'), ballot('db2', 200));
    expect(result).toMatchObject({ winner: null, unheard: ['db3'], needed: 2 });
    expect(election(any(2, 'db2', 'db3'), ballot('db2', 200)).winner).toBe('db2');
  });

  it('waits when the furthest is not fit and nobody else has everything', () => {
    const never = ballot('db3', 300, { unfit: 'its declaration says `failover: never`' });
    const result = election(any(1, 'db2', 'db3'), ballot('db2', 200), never);
    expect(result.winner).toBeNull();
    expect(result.candidates.map(({ node }) => node)).toEqual(['db3', 'db2']);
  });

  it('is decided by the ballot of the last holder, whoever else was not heard', () => {
    expect(election(any(1, 'db2', 'db3'), ballot('db1', 300)).winner).toBe('db1');
    expect(election(null, ballot('db2', 300)).winner).toBeNull();
    expect(election(null, ballot('db1', 300), ballot('db2', 300)).winner).toBe('db1');
    expect(election(null, ballot('db1', 300, { unfit: 'full' }), ballot('db2', 300)).winner).toBe('db2');
  });

  it('compares the term of the timeline before the position, and passes over unknown timelines', () => {
    const forked = new Map([...timelines, [2, { term: 2, timeline: 2, parent: 1, forkLsn: at(150) }]] as const);
    const judge = (...ballots: Ballot[]) =>
      elect({
        term: 3,
        lastHolder: 'db1',
        durability: any(1, 'db2', 'db3'),
        ballots: ballots.map((one) => ({ ...one, term: 3 })),
        timelines: forked,
        ...plain,
      });
    expect(judge(ballot('db2', 160, { timeline: 2 }), ballot('db3', 900)).winner).toBe('db2');
    // It means to follow timeline 2, but has nothing of it: its last record is of the first.
    expect(judge(ballot('db2', 150, { timeline: 2 }), ballot('db3', 900)).winner).toBe('db3');
    expect(judge(ballot('db2', 160, { timeline: 7 }), ballot('db3', 900)).winner).toBeNull();
  });

  it('passes over who was elected and did not act, but never over what it has', () => {
    const electorate = {
      term: 2,
      lastHolder: 'db1',
      durability: any(1, 'db2', 'db3'),
      ballots: [ballot('db2', 200), ballot('db3', 200)],
      timelines,
      ...plain,
      silent: new Set(['db2']),
    };
    expect(elect(electorate).winner).toBe('db3');
    const ahead = { ...electorate, ballots: [ballot('db2', 201), ballot('db3', 200)] };
    expect(elect(ahead).winner).toBeNull();
  });

  it('never elects a node without a commit that k synchronous standbys had flushed', () => {
    const positions = fc.record({ db2: fc.nat(4), db3: fc.nat(4), db4: fc.nat(4) });
    const scene = fc.record({
      positions,
      heard: fc.subarray(nodes),
      members: fc.subarray(nodes, { minLength: 1 }),
      k: fc.integer({ min: 1, max: 3 }),
      unfit: fc.subarray(nodes),
      silent: fc.subarray(nodes),
    });
    fc.assert(
      fc.property(scene, ({ positions: end, heard, members, k, unfit, silent }) => {
        const record = any(Math.min(k, members.length), ...members);
        const of = (node: string): number => Object.entries(end).find(([name]) => name === node)?.[1] ?? 0;
        const { winner } = elect({
          term: 2,
          lastHolder: 'db1',
          durability: record,
          ballots: heard.map((node) => ballot(node, of(node), { unfit: unfit.includes(node) ? 'unfit' : null })),
          timelines,
          ...plain,
          silent: new Set(silent),
        });
        if (winner === null) return;
        expect(heard).toContain(winner);
        expect(unfit).not.toContain(winner);
        // The furthest position that an acknowledging set of k members has: the oracle of what was promised.
        const flushed = members.map(of).sort((a, b) => b - a);
        expect(of(winner)).toBeGreaterThanOrEqual(flushed[record.k - 1] ?? 0);
        expect(heard.filter((node) => members.includes(node)).length).toBeGreaterThanOrEqual(
          neededBallots(record) ?? 0,
        );
      }),
      { numRuns: 3_000 },
    );
  });
});

describe('a node that the last holder had not named', () => {
  const named = { term: 2, lastHolder: 'db1', durability: any(1, 'db2', 'db3'), timelines, ...plain };
  const both = [ballot('db2', 200), ballot('db3', 300)];

  it('is not elected, though its position counts', () => {
    expect(elect({ ...named, ballots: both, candidates: ['db2'] })).toMatchObject({
      winner: null,
      candidates: [{ node: 'db3', because: 'db1 did not name it when it renewed last' }, { node: 'db2' }],
    });
    expect(elect({ ...named, ballots: both, candidates: ['db2', 'db3'] }).winner).toBe('db3');
  });

  it('is not elected by an accepted loss either', () => {
    const accepted = { term: 2, counter: 1, to: 'db3', covers: 'all', by: 'ernest', at: '' } as const;
    expect(elect({ ...named, ballots: both, candidates: ['db2'], accepted }).winner).toBeNull();
  });
});
