import { describe, expect, it } from 'vitest';
import { breaksPromise, type Finding, worstOf } from './finding.ts';

const lost = (id: number, commit: 'local' | 'on', atMs = id): Finding => ({
  kind: 'lost',
  workload: 'inserts',
  commit,
  id,
  writer: 0,
  atMs,
});
const total: Finding = { kind: 'wrong-total', workload: 'bank', total: 9, expected: 10, node: null, atMs: 5 };

describe('the worst findings', () => {
  it('are replicated losses first and local ones last, earliest first', () => {
    const findings = [lost(1, 'local'), total, lost(3, 'on'), lost(2, 'on')];
    expect(worstOf(findings, 10)).toEqual([lost(2, 'on'), lost(3, 'on'), total, lost(1, 'local')]);
  });

  it('show each kind before any is shown twice', () => {
    const many = Array.from({ length: 50 }, (_, id) => lost(id, 'on'));
    const shown = worstOf([...many, total, lost(99, 'local')], 10);
    expect(shown).toHaveLength(10);
    expect(shown).toContain(total);
    expect(shown).toContainEqual(lost(99, 'local'));
  });

  it('break a promise unless local commits allow them', () => {
    expect([lost(1, 'on'), lost(1, 'local'), total].map(breaksPromise)).toEqual([true, false, true]);
  });
});
