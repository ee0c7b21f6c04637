import { expect, it } from 'vitest';
import { troubleIn } from './recovery-log.ts';

const starting = '2026-11-22 10:40:10.831 UTC [26356] FATAL:  the database system is not yet accepting connections\n';
const ended =
  '2026-11-22 10:40:10.891 UTC [26286] FATAL:  recovery ended before configured recovery target was reached\n';

it('names the segment of which nothing can be made', () => {
  const archive =
    'ERROR: [042]: unable to get 000000010000000000000004:\n       repo1: 15-1/0001.zst [FormatError] zst error\n';
  expect(troubleIn(starting + archive + starting + archive + ended)).toBe(
    'unable to get 000000010000000000000004: repo1: 15-1/0001.zst [FormatError] zst error; ' +
      'recovery ended before configured recovery target was reached',
  );
});

it('names the place in the WAL where there is no record', () => {
  const record = '2026-11-22 10:40:10 UTC [1] LOG:  incorrect resource manager data checksum in record at 0/C02068\n';
  expect(troubleIn(record + ended)).toBe(
    'incorrect resource manager data checksum in record at 0/C02068; recovery ended before configured recovery target was reached',
  );
});

it('knows nothing where nothing of it is said', () => {
  expect(troubleIn(starting)).toBeNull();
});
