import { describe, expect, it } from 'vitest';
import { decidePastSource, type PastSourceFacts, type StandbyReach } from './past-source.ts';
import type { Target } from './target.ts';

const standby: StandbyReach = {
  node: 'db3',
  replayed: { lsn: '0/5000000', lastCommitAt: '2026-11-22T10:00:00.000400Z' },
  received: { lsn: '0/9000000', lastCommitAt: '2026-11-22T14:00:00.500000Z' },
  redoLsn: '0/4000000',
  copyMs: 10_000,
};
const time = (value: string): Target => ({ type: 'time', value, atMs: Date.parse(value) });
const lsn = (value: string): Target => ({ type: 'lsn', value });
const within = time('2026-11-22T12:00:00.000Z');

/** `standby`, `repository`, `repository, else standby`, or what is said. */
function decide(target: Target, facts: Partial<PastSourceFacts> = {}): string {
  const how = { hasRepository: true, standbyAlone: false, onward: null, ...facts };
  const decided = decidePastSource({ target, standby, ...how });
  if ('refused' in decided) return `${decided.refused}${decided.isLater ? ` (${decided.archivedToMs})` : ''}`;
  return decided.from === 'repository' && decided.instead !== null ? 'repository, else standby' : decided.from;
}

const alone = { hasRepository: false };
const past = 'db3 has replayed past it';
const early = time('2026-11-22T10:00:00.000Z');
const late = time('2026-11-22T14:00:00.500Z');
const notYet = `db3 has not received that moment yet (${late.type === 'time' ? late.atMs - 1 : ''})`;

describe('where the past comes from on a delayed standby', () => {
  it('is the standby between what it has replayed and what it has received', () => {
    for (const facts of [{}, alone, { standbyAlone: true }]) expect(decide(within, facts)).toBe('standby');
    expect(decide(time('2026-11-22T14:00:00.499Z'))).toBe('standby');
  });

  it('is the repository outside of that, and without one nothing, which says why', () => {
    expect([decide(early), decide(late)]).toEqual(['repository', 'repository']);
    for (const facts of [alone, { standbyAlone: true }]) {
      expect([decide(early, facts), decide(late, facts)]).toEqual([past, notYet]);
    }
  });

  it('is the repository first where the standby may replay past it before it is copied', () => {
    const tight = time('2026-11-22T10:00:09.000Z');
    expect([decide(tight), decide(tight, alone)]).toEqual(['repository, else standby', 'standby']);
    expect(decide(time('2026-11-22T10:00:10.001Z'))).toBe('standby');
  });

  it('goes by positions in the WAL alike', () => {
    const of = (value: string) => [decide(lsn(value)), decide(lsn(value), alone)];
    expect(of('0/5000000')).toEqual(['repository', past]);
    expect(of('0/5000001')).toEqual(['standby', 'standby']);
    expect(of('0/9000000')[0]).toBe('repository');
    // Only while it streams it is known how far that goes.
    const unsure = { ...standby, received: { lsn: null, lastCommitAt: null } };
    expect(decide(lsn('0/9000000'), { standby: unsure })).toBe('repository, else standby');
    expect(decide(within, { standby: unsure, ...alone })).toBe('standby');
  });

  it('is tried for what nobody can tell before', () => {
    for (const target of [
      { type: 'xid', value: '4711' },
      { type: 'name', value: 'before-upgrade' },
    ] as const) {
      expect([decide(target), decide(target, alone)]).toEqual(['repository, else standby', 'standby']);
    }
  });

  it('stays what an instance came from, while its WAL is there', () => {
    const onward = (from: 'standby' | 'repository', reachedLsn: string) => ({ onward: { from, reachedLsn } });
    // Replayed by the standby meanwhile, and not gone yet.
    expect(decide(early, onward('standby', '0/4000000'))).toBe('standby');
    expect(decide(early, onward('standby', '0/3FFFFFF'))).toBe('repository');
    expect(decide(late, onward('standby', '0/8000000'))).toBe('repository');
    expect(decide(within, onward('repository', '0/3000000'))).toBe('repository, else standby');
    expect(decide(within, { ...onward('repository', '0/3000000'), ...alone })).toBe('standby');
  });
});
