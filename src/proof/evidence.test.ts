import pg from 'pg';
import { expect, it } from 'vitest';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { isFinding, isOfThisMachine } from './evidence.ts';

function refused(code: string): UnderstudyError {
  const cause = Object.assign(new pg.DatabaseError('said by the server', 18, 'error'), { code });
  return new UnderstudyError('POSTGRES_FAILED', 'the server refused a statement', { cause });
}

it.each<[string, unknown, boolean]>([
  ['a backup that can not be read', new UnderstudyError('RESTORE_FAILED', 'checksum mismatch'), true],
  ['a page that is damaged', refused('XX001'), true],
  ['a file that is missing', refused('58P01'), true],
  [
    'a record that is none',
    new UnderstudyError('RESTORE_FAILED', 'LOG:  out of memory while trying to decode a record of length 9'),
    true,
  ],
  ['a column that is missing', refused('42703'), true],
  ['a disk that does not read', refused('58030'), false],
  ['a memory that is full', refused('53200'), false],
  ['a server that somebody ended', refused('57P01'), false],
  ['a server that does not answer', new UnderstudyError('POSTGRES_FAILED', "can't connect"), false],
  ['a bound that was exceeded', new UnderstudyError('POSTGRES_TIMEOUT', 'recovering: not within 5 ms'), false],
  ['a program that was ended', new UnderstudyError('RESTORE_FAILED', 'pgBackRest ended with a signal'), false],
  [
    'a disk that is full',
    new UnderstudyError('RESTORE_FAILED', 'recovery ended: PANIC:  could not write: No space left on device'),
    false,
  ],
  ['a repository that is away', new UnderstudyError('REPOSITORY_UNREACHABLE', 'no route to host'), false],
  ['a mistake of ours', new TypeError('undefined'), false],
])('knows of %s whether it is of the backups', (_, error, expected) => {
  expect(isFinding(error)).toBe(expected);
});

it('takes what the log of the server says into account', () => {
  const error = new UnderstudyError('RESTORE_FAILED', 'recovery ended: LOG:  database system is shut down');
  expect(isFinding(error, 'LOG:  startup process (PID 7) was terminated by signal 9: Killed')).toBe(false);
  // As of one that is given up.
  const log = 'LOG:  invalid record length at 0/3000060\nFATAL:  terminating process due to administrator command';
  expect(isFinding(error, log)).toBe(true);
});

it('knows of what programs say whether it is of this machine', () => {
  expect(isOfThisMachine('pg_dump: error: connection failed: FATAL:  sorry, too many clients already')).toBe(true);
  expect(isOfThisMachine('pg_dump: error: could not open file "base/5/16384": No such file or directory')).toBe(false);
});
