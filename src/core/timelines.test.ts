import { describe, expect, it } from 'vitest';
import { formatLsn, lsnFromOffset } from './lsn.ts';
import { type TimelineRecord, termOfPosition, unusedTimeline } from './timelines.ts';

const lsn = (offset: number) => lsnFromOffset(BigInt(offset));
const record = (term: number, timeline: number, parent: number | null, fork: number): [number, TimelineRecord] => [
  term,
  { term, timeline, parent, forkLsn: formatLsn(lsn(fork)) },
];
/** Term 3 went on on timeline 2; timeline 3 belongs to a term whose holder never wrote. */
const timelines = new Map([record(1, 1, null, 0), record(2, 2, 1, 100), record(3, 2, 1, 100), record(4, 4, 2, 200)]);

describe('a position', () => {
  it.each([
    ['on the first timeline', 1, 50, 1],
    ['past a fork that others took', 1, 500, 1],
    ['past its own fork', 2, 101, 2],
    ['at its own fork, with nothing past it', 2, 100, 1],
    ['two forks back', 4, 100, 1],
    ['one fork back', 4, 200, 2],
    ['past both', 4, 201, 4],
    ['on a timeline that no term is known of', 3, 500, null],
  ])('%s', (_, timeline, offset, term) => {
    expect(termOfPosition(timelines, { timeline, lsn: lsn(offset) })).toBe(term);
  });

  it('ends although a record names itself', () => {
    const looped = new Map([record(2, 2, 2, 100)]);
    expect(termOfPosition(looped, { timeline: 2, lsn: lsn(50) })).toBeNull();
  });
});

describe('a new timeline', () => {
  it('is above every one that any term or this node has used', () => {
    expect(unusedTimeline(timelines, 1)).toBe(5);
    expect(unusedTimeline(timelines, 9)).toBe(10);
  });
});
