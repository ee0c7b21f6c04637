import { expect, it } from 'vitest';
import { backupOf } from '../../../test/fixtures/backups.ts';
import { exampleRecords } from '../../../test/fixtures/records.ts';
import { asHeld, emptiedText, hadAny } from './emptied.ts';

const contents = { state: 'empty' as const, trouble: null, backups: [], archived: null };
const to = { kind: 'directory' as const, path: '/backups' };
const archived = { first: '000000010000000000000001', last: '000000010000000000000002' };
const record = { ...exampleRecords.repository, contents: { ...contents, archived }, place: '/backups' };

it('knows what this cluster had by the last look, at that place alone', () => {
  const backups = [backupOf('A', 'full', '2026-11-22T02:00:00Z', { first: 1, last: 2 })];
  expect(hadAny(record, { to })).toBe(true);
  expect(hadAny({ ...record, contents: { ...contents, backups } }, { to })).toBe(true);
  expect(hadAny({ ...record, place: '/elsewhere' }, { to })).toBe(false);
  // By an earlier version, which did not say where.
  expect(hadAny({ ...record, place: undefined }, { to })).toBe(false);
  expect(hadAny({ ...record, contents }, { to })).toBe(false);
  expect([hadAny(null, { to }), hadAny(record, null)]).toEqual([false, false]);
});

it('takes what is empty for what can not be reached, where there was something', () => {
  expect(asHeld(contents, false)).toEqual(contents);
  expect(asHeld(contents, true)).toMatchObject({ state: 'unreachable', trouble: emptiedText });
  expect(asHeld({ ...contents, state: 'ok' }, true)).toMatchObject({ state: 'ok' });
});
