import { describe, expect, it } from 'vitest';
import type { CountsByLevel, Verdict, WorkloadVerdict } from '../history/verdict.ts';
import type { LoadReport } from '../load/run.ts';
import { loadLines } from './load-text.ts';
import { plain } from './terminal.ts';

const none: CountsByLevel = { local: 0, remote_write: 0, on: 0, remote_apply: 0 };

function workload(name: WorkloadVerdict['workload'], changes: Partial<WorkloadVerdict> = {}): WorkloadVerdict {
  const counts = { ok: 1_000, failed: 0, unknown: 0, unknownThere: 0 };
  const wrong = { duplicates: 0, phantoms: 0, invented: 0, wrongTotals: 0, wrongBalances: 0 };
  return { workload: name, ...counts, lost: none, forks: none, ...wrong, ...changes };
}

const verdict: Verdict = {
  outcome: 'sound',
  doubts: [],
  workloads: [workload('inserts'), workload('append'), workload('bank')],
  longestGap: { ms: 121.4, fromMs: 4_000 },
  applications: [
    { application: 'shop', node: 'app1', ok: 3_000, failed: 0, unknown: 0, longestGap: { ms: 121.4, fromMs: 4_000 } },
  ],
  nodes: [
    { node: 'db1', role: 'standby', caughtUp: true, diverged: false },
    { node: 'db2', role: 'primary' },
  ],
  troubles: [],
  findings: 0,
  examples: [],
};

const report: LoadReport = {
  run: 'a1',
  database: 'shop',
  tables: 'understudy_load_a1_',
  commit: 'on',
  workloads: ['inserts', 'append', 'bank'],
  writers: 8,
  startedAt: '2026-11-21T08:00:00.000Z',
  durationMs: 10_000,
  endedEarly: null,
  rest: { reached: true, tookMs: 300, missing: [] },
  kept: null,
  verdict,
};

function textOf(changes: Partial<Verdict>, of: Partial<LoadReport> = {}): string {
  return loadLines({ ...report, ...of, verdict: { ...verdict, ...changes } }, plain).join('\n');
}

describe('a report', () => {
  it('of a sound load says so first, then how much was done', () => {
    expect(textOf({})).toBe(`SOUND: nothing that was acknowledged is missing, and every node holds the same.

3000 replicated commits in 10.0 s (300 a second), 8 writers at 1 pooler; longest gap 121 ms, from 4.0 s on
         ok    failed  unknown  lost  forks  duplicates  wrong totals
inserts  1000  0       0        0            0
append   1000  0       0        0     0      0
bank     1000  0       0        0            0           0

db1  standby  holds the same
db2  primary`);
  });

  it('tells losses that local commits allow, without calling them more', () => {
    const lost = { ...none, local: 2 };
    const [first = ''] = textOf({ workloads: [workload('inserts', { lost })], findings: 2 }).split('\n');
    expect(first).toBe('SOUND: 2 local commits lost, which local commits allow, and every node holds the same.');
  });

  it('of a broken one names what was found before any figure, and where to look', () => {
    const text = textOf(
      {
        outcome: 'broken',
        findings: 12,
        examples: [
          { kind: 'lost', workload: 'inserts', commit: 'on', id: 7, writer: 1, atMs: 2_000 },
          {
            kind: 'fork',
            workload: 'append',
            commit: 'on',
            key: 3,
            earlier: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
            later: [1, 3],
            atMs: 1,
          },
          { kind: 'diverged', workload: 'bank', node: 'db1', foreign: 1, absent: 0, ids: [9] },
        ],
        nodes: [
          { node: 'db1', role: 'standby', caughtUp: true, diverged: true },
          { node: 'db2', role: 'primary' },
        ],
        troubles: [{ outcome: 'failed', because: '08P01 server conn crashed?', count: 3 }],
      },
      { kept: 'the verdict is broken', endedEarly: 'asked' },
    );
    expect(text.split('\n').slice(0, 5)).toEqual([
      'BROKEN: 12 findings, the worst first.',
      '  lost: inserts 7, a replicated commit acknowledged 2.0 s after the beginning',
      '  fork: a replicated commit read [… 3 4 5 6 7 8 9 10] in list 3, which is no beginning of [1 3]',
      '  diverged: db1 has 1 of bank that the primary lacks, and lacks 0 (9)',
      '  and 9 more findings',
    ]);
    expect(text).toContain('8 writers at 1 pooler, ended early;');
    expect(text).toContain('db1  standby  holds something else');
    expect(text).toContain('3 failed: 08P01 server conn crashed?');
    expect(text).toMatch(/The tables understudy_load_a1_\* were left: the verdict is broken\.$/);
  });

  it('of one that could not be judged says what is not known', () => {
    const text = textOf({
      outcome: 'undetermined',
      doubts: [{ doubt: 'unread', node: 'db1', because: 'no answer' }, { doubt: 'no-primary' }],
      workloads: [workload('inserts', { lost: null, unknown: 2, unknownThere: null })],
      nodes: [{ node: 'db1', role: 'unknown', because: 'no answer' }],
    });
    expect(text).toMatch(/^UNDETERMINED: /);
    expect(text).toContain('  not known: db1');
    expect(text).toMatch(/^inserts {2}1000 {2}0 {7}2 {8}\? /m);
    expect(text).toContain('db1  unknown  no answer');
  });
});
