import { expect, it } from 'vitest';
import { backupOf, segment, segmentBytes } from '../../test/fixtures/backups.ts';
import type { RepositoryContents } from '../core/repository.ts';
import { type Archiving, type BackupFacts, checkBackups } from './backups.ts';

const contents: RepositoryContents = {
  ...{ state: 'ok', trouble: null, backups: [backupOf('a', 'full', 0)] },
  archived: { first: segment(1), last: segment(9) },
};
const archiving: Archiving = {
  archiver: { isOn: true, archivedTo: null, failing: null, waiting: 0, segmentBytes },
  ...{ off: null, stalled: null, commitAgeMs: 41_000 },
};
const failing = { ...archiving.archiver, failing: { segment: segment(7), at: '2026-11-22T10:00:00Z' }, waiting: 3 };
const facts: BackupFacts = {
  program: { found: '/usr/bin/pgbackrest 2.45' },
  ...{ place: 's3://bucket/prefix', secret: 'given', contents, lastLook: null, trouble: null, archiving },
  ...{ spool: '/var/lib/understudy/pgbackrest/spool', spoolFreeBytes: 9e9 },
};
const troubles = (change: Partial<BackupFacts>) =>
  checkBackups({ ...facts, ...change }).flatMap(({ check, hint, text, verdict }) =>
    verdict === 'ok' ? [] : [`${check} ${verdict}: ${text} -> ${hint}`],
  );

it('finds nothing where all is well, and nothing of the archiver on a standby', () => {
  expect(troubles({})).toEqual([]);
  expect(checkBackups(facts).map(({ check }) => check)).toEqual([
    ...['pgbackrest', 'secret of the repository', 'repository', 'archiving', 'spool'],
  ]);
  expect(checkBackups({ ...facts, archiving: null }).map(({ check }) => check)).not.toContain('archiving');
});

it.each<[string, Partial<BackupFacts>, RegExp]>([
  ['the program', { program: { missing: 'pgBackRest is not installed' } }, /^pgbackrest failure: .* -> install/],
  ['the secret', { secret: 'missing' }, /^secret of the repository failure: .*no WAL is archived -> give it/],
  ['the secret for this node', { secret: 'not-sealed-here' }, /failure: other nodes have it/],
  ['what to ask with', { contents: null, trouble: 'no secret' }, /^repository failure: .* asked: no secret -> mend/],
  ['a first backup', { contents: { ...contents, backups: [] } }, /^repository warning: .* no backup yet -> make one/],
  [
    'an answer in time',
    { contents: 'not-in-time', lastLook: { node: 'db1', ageMs: 41_000, state: 'ok' } },
    /^repository warning: .* is slow to answer; db1 looked 41 s ago: ok -> see what/,
  ],
  ['anything', { contents: { ...contents, state: 'empty', backups: [] } }, /^repository warning: .* is empty -> /],
  [
    'the cluster',
    { contents: { ...contents, state: 'foreign', trouble: 'another identifier' } },
    /^repository failure: .* not this cluster's: another identifier -> name another place/,
  ],
  [
    'the way there',
    { contents: { ...contents, state: 'unreachable', trouble: 'no route' } },
    /^repository failure: .* can't be reached: no route -> check endpoint/,
  ],
  [
    'a primary that archives',
    { archiving: { ...archiving, off: { text: 'nothing is archived', commands: 'understudy restart db1' } } },
    /^archiving failure: nothing is archived -> understudy restart db1$/,
  ],
  ['an archived commit', { archiving: { ...archiving, commitAgeMs: null } }, /^archiving warning: no commit/],
  ['a young commit', { archiving: { ...archiving, commitAgeMs: 300_000 } }, /^archiving failure: .* 5 min old/],
  ['a working archiver', { archiving: { ...archiving, archiver: failing } }, /^archiving warning: 0{7}1.*3 files wait/],
  [
    'a working archiver for long',
    { archiving: { ...archiving, archiver: failing, stalled: { since: '2026-11-22T10:00:00Z', bytesPerS: null } } },
    /^archiving failure: /,
  ],
  ['room', { spoolFreeBytes: 100 * 1024 ** 2 }, /^spool failure: 100 MB free .* -> archiving stops/],
  ['a place for the spool', { spoolFreeBytes: null }, /^spool warning: can't tell/],
])('says what would be right where %s is missing', (_, change, expected) => {
  expect(troubles(change)).toEqual([expect.stringMatching(expected)]);
});
