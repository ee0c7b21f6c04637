import { expect, it } from 'vitest';
import { backupOf, iso, lsnIn, segment, segmentBytes } from '../../../test/fixtures/backups.ts';
import { exampleRecords } from '../../../test/fixtures/records.ts';
import { memberStatus } from '../../../test/fixtures/view.ts';
import { nextAfter } from '../../timing/cron.ts';
import type { RepositoryRecord } from '../backup-run.ts';
import { defaultBackups } from '../backups-spec.ts';
import { formatLsn, lsnFromOffset } from '../lsn.ts';
import type { RepositoryContents } from '../repository.ts';
import { type BackupsFacts, backupsStanding } from './standing.ts';

const nowMs = Date.parse('2026-11-22T12:00:00Z');
const ago = (ms: number) => iso(nowMs - ms);
const minute = 60_000;
const contents: RepositoryContents = {
  ...{ state: 'ok', trouble: null, archived: null },
  backups: [backupOf('A', 'full', nowMs - 60 * minute)],
};
const place = (number: number) => formatLsn(lsnFromOffset(lsnIn(number)));
const repository: RepositoryRecord = {
  ...{ node: 'db1', lookedAt: ago(0), contents, safeUntil: ago(41_000), stalled: null },
  archive: {
    segmentBytes,
    ranges: [{ first: segment(1), last: segment(4) }],
    marks: [{ atMs: nowMs - 41_000, timeline: 1, lsn: place(4) }],
    listedAt: ago(59 * minute),
  },
};
const postgres = { state: 'primary' as const, timeline: 1, lsn: '0/0' };
const whole: BackupsFacts = {
  backups: { ...defaultBackups, to: { kind: 'directory', path: '/mnt/backups' } },
  ...{ hasSecret: true, archivingOff: null, repository, run: null, ended: [], nowMs, nextAfter, onlyNode: null },
  timelines: new Map([[3, { term: 3, timeline: 1, parent: null, forkLsn: '0/0' }]]),
  primary: { ...memberStatus('db1', { postgres }), diskFreeBytes: 3_600 * 1_000_000 },
};
const standing = (change: Partial<BackupsFacts> = {}) => backupsStanding({ ...whole, ...change });
const because = (change: Partial<BackupsFacts>) => standing(change)?.troubles;
const seen = (change: Partial<RepositoryRecord>) => ({ repository: { ...repository, ...change } });

it('says how far back one can look, and nothing where all is well', () => {
  expect(standing()).toMatchObject({ troubles: [], todo: [], safeUntil: ago(41_000) });
  expect(standing()?.window?.stretches).toMatchObject([{ fromMs: nowMs - 50 * minute, toMs: nowMs - 41_000 }]);
  expect(standing({ backups: null })).toBeNull();
  expect(standing({ repository: null })).toMatchObject({ troubles: [], window: null, todo: [] });
});

it('tells of an archiver that stands still, what waits, and how long the disk lasts', () => {
  const archiveTrouble = { segment: segment(5), at: ago(2_000), waiting: 12 };
  const primary = { ...memberStatus('db1', { postgres: { ...postgres, archiveTrouble } }), diskFreeBytes: 7.2e9 };
  const stalled = { since: ago(12 * minute), bytesPerS: 1_000_000 };
  expect(because({ ...seen({ stalled }), primary })).toEqual([
    'db1 has archived no WAL for 12 min: 12 files wait (192 MB); the disk lasts 2 h at the present rate',
  ]);
  expect(because({ ...seen({ stalled: { ...stalled, bytesPerS: null } }), primary: null })).toEqual([
    'db1 has archived no WAL for 12 min',
  ]);
});

it.each<[string, Partial<BackupsFacts>]>([
  ['the secret of the repository of backups has not been given: understudy backup secret', { hasSecret: false }],
  [
    'nothing can be put into the repository of backups: no route to host',
    seen({ contents: { ...contents, state: 'unreachable', trouble: 'no route to host' } }),
  ],
  [
    'the WAL in the repository could not be listed for 2 h: what can be recovered to is as of then',
    seen({ archive: { segmentBytes, marks: [], ranges: [], listedAt: ago(120 * minute) } }),
  ],
  ['the newest commit in the repository is 6 min old', seen({ safeUntil: ago(6 * minute) })],
  [
    `WAL is missing in the repository, from ${segment(3)} on: what came after it can't be restored before the next backup`,
    seen({
      archive: {
        ...{ segmentBytes, marks: [] },
        ranges: [
          { first: segment(1), last: segment(2) },
          { first: segment(4), last: segment(4) },
        ],
      },
    }),
  ],
  [
    'B-0007: full on db1 failed 3 h ago: no room',
    {
      ended: [
        {
          ...exampleRecords['backup-run'],
          id: 'B-0007',
          state: 'failed',
          endedAt: ago(180 * minute),
          outcome: 'no room',
        },
        { ...exampleRecords['backup-run'], work: 'expire', state: 'done' },
      ],
    },
  ],
])('tells that %s', (text, change) => {
  expect(because(change)).toEqual([text]);
});

it('leaves what failed before as it is when the next one is cancelled, which is no trouble by itself', () => {
  const cancelled = { ...exampleRecords['backup-run'], state: 'failed' as const, cancelledBy: 'kim' };
  const run = { ...cancelled, id: 'B-0008', outcome: 'cancelled by kim' };
  expect(because({ ended: [{ ...run, failuresBefore: 0 }] })).toEqual([]);
  expect(because({ ended: [{ ...run, failuresBefore: 2 }] })).toEqual([
    'full failed before B-0008, which was cancelled by kim',
  ]);
});

it('says that there is no full backup yet, and how one comes', () => {
  const none = seen({ contents: { ...contents, state: 'empty', backups: [] } });
  const todo = (change: Partial<BackupsFacts>) => standing({ ...none, ...change })?.todo;
  expect(todo({})).toEqual(['there is no full backup yet, one is due']);
  expect(todo({ backups: whole.backups && { ...whole.backups, full: null } })).toEqual([
    'there is no full backup yet: understudy backup now',
  ]);
  const run = { ...exampleRecords['backup-run'], work: 'full', state: 'running', id: 'B-0001' } as const;
  expect(todo({ run })).toEqual(['there is no full backup yet: B-0001 makes one']);
  expect(standing(none)?.troubles).toEqual([]);
});

it('is well with a proof that waits for a person, and is not where a standby is to make it', () => {
  const old = { ...contents, backups: [backupOf('A', 'full', nowMs - 14 * 24 * 60 * minute)] };
  const text = expect.stringContaining('no restore has been proven yet');
  expect(standing(seen({ contents: old }))).toMatchObject({ troubles: expect.arrayContaining([text]), todo: [] });
  const alone = standing({ ...seen({ contents: old }), onlyNode: 'db1' });
  expect(alone?.todo).toEqual([text]);
  expect(alone?.troubles).not.toContainEqual(text);
});

it('says what backups wait for in the place of that one is due', () => {
  const none = seen({ contents: { ...contents, backups: [] } });
  expect(standing(none)?.todo).toEqual(['there is no full backup yet, one is due']);
  const archivingOff = { text: 'db1 archives nothing', commands: 'understudy switchover' };
  expect(standing({ ...none, archivingOff })?.todo).toEqual(['db1 archives nothing: understudy switchover']);
  expect(standing({ archivingOff })?.troubles).toEqual([]);
});
