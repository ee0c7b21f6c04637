import { describe, expect, it } from 'vitest';
import { backupOf } from '../../test/fixtures/backups.ts';
import type { RecoverableWindow } from '../core/backups/window.ts';
import { defaultBackups } from '../core/backups-spec.ts';
import type { RepositoryContents } from '../core/repository.ts';
import { type BackupListFacts, backupInfoText, backupListText } from './backup-text.ts';

const nowMs = Date.parse('2026-11-22T12:00:00Z');
const full = backupOf('20261108-023000F', 'full', '2026-11-08T02:30:00Z');
const differential = backupOf('20261108-023000F_20261109-023000D', 'differential', '2026-11-09T02:30:00Z', {
  prior: full.label,
});
const newest = { ...backupOf('20261115-023000F', 'full', '2026-11-15T02:30:00Z'), hasDamage: true };
const window: RecoverableWindow = {
  stretches: [
    {
      fromMs: Date.parse(full.finishedAt),
      toMs: nowMs - 41_000,
      endLsn: '0/9000000',
      end: { because: 'archive-ends' },
      backups: [full.label],
    },
  ],
  unusable: [{ label: differential.label, because: 'wal-missing' }],
};
const contents: RepositoryContents = {
  state: 'ok',
  trouble: null,
  backups: [full, differential, newest],
  archived: null,
};
const facts: BackupListFacts = {
  backups: { ...defaultBackups, to: { kind: 'directory', path: '/mnt/backups' } },
  contents,
  window,
  next: { full: Date.parse('2026-11-29T02:30:00Z'), differential: Date.parse('2026-11-23T02:30:00Z') },
  nowMs,
  width: 40,
};

describe('backup list', () => {
  it('says how far back one can look, what comes next, and what is there', () => {
    expect(backupListText(facts)).toEqual([
      '3 backups in /mnt/backups',
      'past: Nov 8 to 41 s ago',
      'F─d────────────────F────────────────────',
      'Nov 8                                now',
      'next: full Nov 29 02:30, differential Nov 23 02:30',
      'backup                             kind          began         took    data    stored  kept until',
      '20261108-023000F                   full          Nov 8 02:30   10 min  3.7 GB  954 MB  Dec 20',
      "20261108-023000F_20261109-023000D  differential  Nov 9 02:30   10 min  3.7 GB  954 MB  Dec 20      can't be restored: WAL that it needs is missing",
      '20261115-023000F                   full          Nov 15 02:30  10 min  3.7 GB  954 MB  next full   damaged pages',
    ]);
  });

  it.each<[Partial<RepositoryContents>, readonly string[]]>([
    [{ state: 'empty' }, ['nothing is in /mnt/backups yet', 'past: nothing yet', 'next: none by itself']],
    [
      { state: 'unreachable', trouble: 'no route to host' },
      ["/mnt/backups can't be reached: no route to host", 'next: none by itself'],
    ],
    [
      { state: 'foreign', trouble: null },
      ["/mnt/backups is another cluster's, or encrypted with another passphrase", 'next: none by itself'],
    ],
  ])('of %j', (change, lines) => {
    const next = { full: null, differential: null };
    const empty = { ...facts, next, window: { stretches: [], unusable: [] } };
    expect(backupListText({ ...empty, contents: { ...contents, backups: [], ...change } })).toEqual(lines);
  });
});

describe('backup info', () => {
  it('says what a backup builds on, and what is wrong with it', () => {
    expect(backupInfoText(facts, differential.label)).toEqual([
      'backup            20261108-023000F_20261109-023000D (differential)',
      "trouble           can't be restored: WAL that it needs is missing",
      'recoverable from  Nov 9 02:40',
      'began             Nov 9 02:30, took 10 min',
      'size              3.7 GB of data, 954 MB stored',
      'WAL               000000010000000000000001 to 000000010000000000000001 (0/10003E8 to 0/10007D0)',
      'builds on         20261108-023000F',
      'kept until        Dec 20',
    ]);
  });

  it('says what needs a backup, and of none that there is none', () => {
    expect(backupInfoText(facts, full.label)).toContain(`needed by         ${differential.label}`);
    expect(backupInfoText(facts, newest.label)).toContain('kept until        there is another full backup, at least');
    expect(backupInfoText(facts, 'x')).toBeNull();
  });
});
