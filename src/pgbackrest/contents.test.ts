import { expect, it } from 'vitest';
import { isUnderstudyError } from '../errors/understudy-error.ts';
import { parseInfo } from './contents.ts';

const full = {
  archive: { start: '000000010000000000000004', stop: '000000010000000000000004' },
  backrest: { format: 5, version: '2.45' },
  database: { id: 1, 'repo-key': 1 },
  error: false,
  info: { delta: 26621619, repository: { delta: 3135232, size: 3135232 }, size: 26621619 },
  label: '20261122-073557F',
  lsn: { start: '0/1000028', stop: '0/1000100' },
  prior: null,
  reference: null,
  timestamp: { start: 1795332957, stop: 1795332959 },
  type: 'full',
};
const differential = {
  ...full,
  label: '20261122-073557F_20261122-073949D',
  prior: full.label,
  timestamp: { start: 1795333189, stop: 1795333191 },
  type: 'diff',
  error: true,
};

/** As 2.45 writes it: the system identifier is a number of 64 bits. */
function info(stanza: object, status = { code: 0, message: 'ok' }): string {
  const whole = {
    backup: [],
    cipher: 'aes-256-cbc',
    name: 'shop-15',
    repo: [{ cipher: 'x', key: 1, status }],
    ...stanza,
  };
  return JSON.stringify([whole]).replace('"IDENTIFIER"', '7710896279231324302');
}

const archive = (id: number, min: string, max: string) => ({
  database: { id, 'repo-key': 1 },
  id: `15-${id}`,
  min,
  max,
});
const db = [{ id: 1, 'repo-key': 1, 'system-id': 'IDENTIFIER', version: '15' }];

it('reads backups, oldest first, and the archive of the newest history', () => {
  const text = info({ backup: [differential, full], db, archive: [archive(1, '0A', '0F'), archive(2, '01', '02')] });
  const report = parseInfo(text);
  expect(report).toMatchObject({
    state: 'ok',
    systemIdentifier: '7710896279231324302',
    archived: { first: '0A', last: '0F' },
  });
  expect(report.backups).toEqual([
    {
      label: full.label,
      kind: 'full',
      prior: null,
      startedAt: '2026-11-22T07:35:57.000Z',
      finishedAt: '2026-11-22T07:36:00.000Z',
      startLsn: '0/1000028',
      stopLsn: '0/1000100',
      firstWal: '000000010000000000000004',
      lastWal: '000000010000000000000004',
      databaseBytes: 26621619,
      repositoryBytes: 3135232,
      hasDamage: false,
    },
    expect.objectContaining({ kind: 'differential', prior: full.label, hasDamage: true }),
  ]);
});

it('takes a repository without backups for one that is right, and one without a stanza for an empty one', () => {
  expect(parseInfo(info({ db, archive: [] }, { code: 2, message: 'no valid backups' }))).toMatchObject({
    state: 'ok',
    archived: null,
  });
  expect(parseInfo(info({}, { code: 1, message: 'missing stanza path' })).state).toBe('empty');
});

it('says what pgBackRest could not read, though its words hold what it decrypted wrongly', () => {
  const text = info({}, { code: 99, message: '[FormatError] unable to load info file:\nxGARBAGEx' });
  expect(parseInfo(text.replace('GARBAGE', '\u0001\u001b'))).toMatchObject({
    state: 'failed',
    message: '[FormatError] unable to load info file',
  });
});

it('refuses what it does not know', () => {
  for (const text of ['', '{}', '[{"backup":[{}]}]']) {
    expect(() => parseInfo(text)).toThrow(expect.toSatisfy((error) => isUnderstudyError(error, 'BACKUP_FAILED')));
  }
});
