import { describe, expect, it } from 'vitest';
import { exampleLostReport } from '../../test/fixtures/fake-backend.ts';
import { reportLines } from './lost-text.ts';
import { plain } from './terminal.ts';

describe('the account of a divergence', () => {
  it('says how much, when, where, and where it is kept', () => {
    expect(reportLines(exampleLostReport, plain)).toEqual([
      'pg0 came back 2026-11-19T14:00:00Z to term 9: 2 transactions committed alone past 0/3000128 of timeline 4',
      '  committed from 2026-11-19T13:59:50.1Z to 2026-11-19T13:59:51.2Z',
      '  wiki public.pages       +3 ~1  2 transactions',
      '  unknown relation 16400  -2     1 transaction',
      '  2026-11-19T13:59:50.1Z  xid 731  wiki public.pages +3',
      '  2026-11-19T13:59:51.2Z  xid 733  wiki public.pages ~1, unknown relation 16400 -2, definitions, at least',
      "  4.0 kB of WAL, kept in diverged/4-0-3000128 of the node's state directory",
    ]);
  });

  it('says what is not known', () => {
    const report = {
      ...exampleLostReport,
      whole: false,
      notWhole: 'WAL ends early',
      unnamed: 'no answer',
      keptBytes: 0,
    };
    const lines = reportLines(report, plain);
    expect(lines).toContain('  not all of it is known: WAL ends early');
    expect(lines).toContain("  the tables' names are not known: no answer");
    expect(lines.at(-1)).toBe('  4.0 kB of WAL, not kept');
  });

  it('lists the first twenty transactions, and counts the rest', () => {
    const [first] = exampleLostReport.listed;
    if (first === undefined) throw new Error('no transaction');
    const listed = Array.from({ length: 30 }, () => first);
    const shown = (transactions: number) =>
      reportLines({ ...exampleLostReport, listed, transactions }, plain).join('\n');
    expect(shown(30)).toContain('and 10 more (--json has them)');
    expect(shown(5000)).toContain('and 4980 more\n');
  });
});
