/** What pgBackRest writes while it works, and when it has failed: lines of 2.45. */
import { expect, it } from 'vitest';
import type { TransferProgress } from '../ports/repository.ts';
import { failure, isUnclear } from './failures.ts';
import { parseVersion } from './program.ts';
import { ProgressReader } from './progress.ts';
import { parseVerification } from './verification.ts';

function told(...chunks: readonly string[]): readonly TransferProgress[] {
  const all: TransferProgress[] = [];
  const reader = new ProgressReader((progress) => all.push(progress));
  for (const chunk of chunks) reader.read(chunk);
  return all;
}

it('adds up the files of a backup, also when a line comes in two pieces', () => {
  const progress = told(
    'P00   INFO: backup command begin 2.45: --process-max=2\nP01 DETAIL: backup file /d/base/1/2 (1MB, 2',
    '5.00%) checksum 26\nP02 DETAIL: backup file /d/base/1/3 (bundle 1/2633840, 512KB, 37.50%) checksum 9e\n',
    'P01 DETAIL: match file from prior backup /d/base/1/4 (2.5MB, 100.00%) checksum 15\n',
  );
  expect(progress).toEqual([
    { bytesDone: 1.5 * 1024 ** 2, bytesTotal: 4 * 1024 ** 2 },
    { bytesDone: 4 * 1024 ** 2, bytesTotal: 4 * 1024 ** 2 },
  ]);
});

it('reads the files of a restore, those that are equal already among them', () => {
  const line =
    'P02 DETAIL: restore file /r/base/1/1 - exists and matches backup (bundle 20261122-073557F/1/64, 24KB, 50.00%) checksum 9\n';
  expect(told(line)).toEqual([{ bytesDone: 24 * 1024, bytesTotal: 48 * 1024 }]);
});

it('does not know a total at the very beginning', () => {
  expect(told('P01 DETAIL: backup file /d/1 (8B, 0.00%) checksum 1\n')).toEqual([{ bytesDone: 8, bytesTotal: null }]);
});

const verified = (status: string, ...lines: readonly string[]) =>
  `stanza: shop-15\nstatus: ${status}\n${lines.join('\n')}\n`;
const wal = '  archiveId: 15-1, total WAL checked: 11, total valid WAL: 11';
const sound = '    missing: 0, checksum invalid: 0, size invalid: 0, other: 0';

it('finds each backup and archive that has something wrong', () => {
  const backup = '  backup: 20261122-073557F, status: valid, total files checked: 965, total valid files: 965';
  expect(parseVerification(verified('ok', wal, sound, backup, sound))).toEqual({ isSound: true, findings: [] });
  const damaged = '  backup: 20261122-073557F_1D, status: invalid, total files checked: 968, total valid files: 967';
  const counts = '    missing: 2, checksum invalid: 1, size invalid: 0, other: 0';
  expect(parseVerification(verified('error', wal, sound, backup, sound, damaged, counts))).toEqual({
    isSound: false,
    findings: ['backup 20261122-073557F_1D: invalid', 'backup 20261122-073557F_1D: missing: 2, checksum invalid: 1'],
  });
});

it('takes a verification that could read nothing for none, and one that says less than "ok" for unsound', () => {
  expect(
    parseVerification(verified('error', '  No usable backup.info file', '  No usable archive.info file')),
  ).toBeNull();
  expect(parseVerification('')).toBeNull();
  expect(parseVerification(verified('error', wal, sound))?.isSound).toBe(false);
  const noWal = verified('ok', '  archiveId: none found', '  backup: 20261122-073557F, status: valid');
  expect(parseVerification(noWal)).toEqual({ isSound: false, findings: ['archive: none found'] });
});

it.each([
  [28, '', 'REPOSITORY_FOREIGN'],
  [51, '', 'REPOSITORY_FOREIGN'],
  [50, '', 'REPOSITORY_BUSY'],
  [82, '', 'ARCHIVE_STALLED'],
  [64, "ERROR: [064]: unable to write '/r/1': [28] No space left on device\n", 'DISK_FULL'],
  [64, "ERROR: [064]: unable to write '/r/1': [5] Input/output error\n", 'RESTORE_FAILED'],
  [40, '', 'RESTORE_FAILED'],
  [null, '', 'RESTORE_FAILED'],
])('knows what exit code %s means (%j)', (code, stderr, expected) => {
  expect(failure('RESTORE_FAILED', { code, stdout: '', stderr }).code).toBe(expected);
});

it('says the last error in one line', () => {
  const stderr =
    "WARN: something\nERROR: [029]: unable to load info file 'a' or 'b':\n       FormatError: key\nHINT: x\n";
  const error = failure('BACKUP_FAILED', { code: 29, stdout: '', stderr });
  expect(error.message).toBe("unable to load info file 'a' or 'b'");
  expect(isUnclear({ code: 29, stdout: '', stderr })).toBe(true);
  expect(isUnclear({ code: 50, stdout: '', stderr })).toBe(false);
});

it('reads the version of Debian 12 and of 13', () => {
  expect(parseVersion('pgBackRest 2.45\n')).toEqual({ text: '2.45', major: 2, minor: 45 });
  expect(parseVersion('pgBackRest 2.55.1\n')).toEqual({ text: '2.55.1', major: 2, minor: 55 });
  expect(parseVersion('psql (PostgreSQL) 15')).toBeNull();
});
