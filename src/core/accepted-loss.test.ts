import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type AcceptedLoss, acceptedFor } from './accepted-loss.ts';
import { type Ballot, type Electorate, elect } from './ballot.ts';
import { formatLsn, lsnFromOffset } from './lsn.ts';
import type { TimelineRecord } from './timelines.ts';

const at = (offset: number) => formatLsn(lsnFromOffset(BigInt(offset)));
const ballot = (node: string, offset: number, unfit: string | null = null): Ballot => ({
  node,
  term: 2,
  timeline: 1,
  lsn: at(offset),
  bootId: 'boot',
  priority: 0,
  unfit,
});
const first: TimelineRecord = { term: 1, timeline: 1, parent: null, forkLsn: '0/0' };
const loss = (change: Partial<AcceptedLoss> = {}): AcceptedLoss => ({
  term: 2,
  counter: 7,
  to: null,
  covers: 'unheard',
  by: 'kim',
  at: '2026-11-20T00:00:00.000Z',
  ...change,
});
/** db1 held term 1 with db2 and db3 as synchronous standbys, any one of them. */
const electorate = (ballots: readonly Ballot[], change: Partial<Electorate> = {}): Electorate => ({
  term: 2,
  lastHolder: 'db1',
  durability: { term: 1, standbys: ['db2', 'db3'], k: 1 },
  ballots,
  timelines: new Map([[1, first]]),
  silent: new Set(),
  written: null,
  lossLimitBytes: null,
  boots: {},
  candidates: null,
  accepted: null,
  ...change,
});
const because = (of: Electorate, node: string) => elect(of).candidates.find((each) => each.node === node)?.because;

describe('a loss that was accepted', () => {
  it('is good for the next term only, and only while the holder renews no more', () => {
    const renewal = { term: 1, counter: 7 };
    expect(acceptedFor(loss(), 1, renewal)).not.toBeNull();
    expect(acceptedFor(loss(), 2, { term: 2, counter: 7 })).toBeNull();
    expect(acceptedFor(loss(), 1, { ...renewal, counter: 8 })).toBeNull();
    expect(acceptedFor(loss(), 1, null)).toBeNull();
    expect(acceptedFor(null, 1, renewal)).toBeNull();
  });

  it('elects with too few ballots heard, and says so', () => {
    const alone = [ballot('db2', 200)];
    expect(elect(electorate(alone)).winner).toBeNull();
    const result = elect(electorate(alone, { accepted: loss() }));
    expect(result).toMatchObject({ winner: 'db2', unheard: ['db3'], candidates: [{ byAcceptance: true }] });
  });

  it('is not needed where enough are heard', () => {
    const both = [ballot('db2', 200), ballot('db3', 200)];
    expect(elect(electorate(both, { accepted: loss() })).candidates).toMatchObject([
      { node: 'db2', byAcceptance: false },
      { node: 'db3', byAcceptance: false },
    ]);
  });

  it('gives up nothing that somebody who is heard has, unless a person said so', () => {
    const ahead = [ballot('db2', 200), ballot('db3', 300, 'its disk is full')];
    expect(elect(electorate(ahead, { accepted: loss() })).winner).toBeNull();
    expect(elect(electorate(ahead, { accepted: loss({ covers: 'all' }) })).winner).toBe('db2');
  });

  it('is for the node that was named alone', () => {
    const alone = electorate([ballot('db2', 200)], { accepted: loss({ to: 'db3' }) });
    expect(elect(alone).winner).toBeNull();
    expect(because(alone, 'db2')).toContain('a loss was accepted for db3');
  });

  it('makes nobody fit who is not', () => {
    const unfit = electorate([ballot('db2', 200, 'its replay is paused')], { accepted: loss({ covers: 'all' }) });
    expect(elect(unfit).winner).toBeNull();
  });
});

describe('the loss limit', () => {
  const both = [ballot('db2', 200), ballot('db3', 300)];
  const written = { timeline: 1, lsn: lsnFromOffset(1_000n) };

  it('keeps out who is known to lack more, and only them', () => {
    expect(elect(electorate(both, { written, lossLimitBytes: 700 })).winner).toBe('db3');
    const tooFar = electorate(both, { written, lossLimitBytes: 699 });
    expect(elect(tooFar).winner).toBeNull();
    expect(because(tooFar, 'db3')).toBe('lacks at least 700 bytes of what db1 wrote; the declared limit is 699');
  });

  it('is lifted by a person, not by the declaration', () => {
    const tooFar = { written, lossLimitBytes: 0 };
    expect(elect(electorate(both, { ...tooFar, accepted: loss() })).winner).toBeNull();
    expect(elect(electorate(both, { ...tooFar, accepted: loss({ covers: 'all' }) })).winner).toBe('db3');
  });

  it('counts from the fork where the candidate is on an earlier timeline', () => {
    const timelines = new Map([
      [1, first],
      [2, { term: 2, timeline: 2, parent: 1, forkLsn: at(100) }],
    ]);
    const ballots = [{ ...ballot('db2', 900), term: 3 }];
    const later = electorate(ballots, {
      term: 3,
      timelines,
      durability: { term: 2, standbys: ['db2'], k: 1 },
      written: { timeline: 2, lsn: lsnFromOffset(1_000n) },
      lossLimitBytes: 899,
    });
    expect(elect(later).candidates).toMatchObject([{ lacksBytes: 900 }]);
    expect(elect(later).winner).toBeNull();
  });

  it('never elects anybody who lacks more than it of what is known, whatever else holds', () => {
    const scene = fc.record({
      ends: fc.array(fc.nat(50), { minLength: 1, maxLength: 3 }),
      wrote: fc.option(fc.nat(60)),
      limit: fc.nat(40),
      covers: fc.constantFrom('unheard' as const, null),
    });
    fc.assert(
      fc.property(scene, ({ ends, wrote, limit, covers }) => {
        const ballots = ends.map((end, index) => ballot(`db${index + 2}`, end));
        const { winner } = elect(
          electorate(ballots, {
            written: wrote === null ? null : { timeline: 1, lsn: lsnFromOffset(BigInt(wrote)) },
            lossLimitBytes: limit,
            accepted: covers === null ? null : loss({ covers }),
          }),
        );
        if (winner === null) return;
        const end = ends[Number(winner.slice(2)) - 2] ?? -1;
        expect(Math.max(...ends, wrote ?? 0) - end).toBeLessThanOrEqual(limit);
      }),
    );
  });
});
