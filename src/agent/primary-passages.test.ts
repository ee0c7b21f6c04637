import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { MemoryMirror } from '../../test/fixtures/memory-mirror.ts';
import { exampleRecords } from '../../test/fixtures/records.ts';
import { stubRepository } from '../../test/fixtures/stub-repository.ts';
import { timerClock } from '../../test/fixtures/timer-clock.ts';
import type { BackupRun } from '../core/backup-run.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { encodeRecord } from '../records/codecs.ts';
import { keys } from '../records/keys.ts';
import { PrimaryPassages } from './primary-passages.ts';

let mirror: MemoryMirror;
let passages: PrimaryPassages;
let isPrimary: boolean;
let ended: AbortController;
let warned: string[];
/** Of each end of the program: was it told to end? */
let served: { isEnded: boolean }[];
/** Its connection closes, or it fails. */
let leave: (error?: UnderstudyError) => void;

beforeEach(() => {
  vi.useFakeTimers();
  [mirror, ended, isPrimary, warned, served] = [new MemoryMirror(), new AbortController(), true, [], []];
  const repository = stubRepository({
    program: async () => ({ path: '/usr/bin/pgbackrest', version: '2.45' }),
    serve: (_, { signal }) => {
      const end = { isEnded: false };
      served.push(end);
      return new Promise((resolve, reject) => {
        leave = (error) => (error === undefined ? resolve() : reject(error));
        signal?.addEventListener('abort', () => {
          end.isEnded = true;
          resolve();
        });
      });
    },
  });
  passages = new PrimaryPassages({
    ...{ self: 'db1', mirror, clock: timerClock, signal: ended.signal, repository: () => repository },
    ...{ isPrimary: () => isPrimary, warn: (text) => void warned.push(text) },
  });
});
afterEach(() => {
  ended.abort();
  vi.useRealTimers();
});

function says(change: Partial<BackupRun>): void {
  const run: BackupRun = { ...exampleRecords['backup-run'], id: 'B-0007', state: 'running', node: 'db2', ...change };
  mirror.put([{ key: keys.backupRun, value: encodeRecord('backup-run', run) }]);
}

async function refused(by = 'db2', version = '2.45'): Promise<string> {
  const asked = passages.open(by, version).then(
    () => 'nothing',
    (error: unknown) => String(error),
  );
  await vi.advanceTimersByTimeAsync(6_000);
  return await asked;
}

it('is for the node whose backup is running, and for nobody else', async () => {
  expect(await refused()).toContain('no backup is running on db2');
  says({ node: 'db3' });
  expect(await refused()).toContain('no backup is running on db2');
  says({ state: 'ordered' });
  expect(await refused()).toContain('no backup is running on db2');
  for (const work of ['verify', 'expire', 'proof'] as const) {
    says({ work });
    expect(await refused()).toContain('no backup is running on db2');
  }
  says({});
  expect(await passages.open('db2', '2.45')).toMatchObject({ run: 'B-0007', dataDirectory: '/srv/data' });
});

it('waits a moment for what the standby has written', async () => {
  const asked = passages.open('db2', '2.45');
  await vi.advanceTimersByTimeAsync(1_000);
  says({ work: 'differential' });
  await vi.advanceTimersByTimeAsync(1_000);
  expect((await asked).run).toBe('B-0007');
});

it('is of the primary alone, and of one version', async () => {
  says({});
  expect(await refused('db2', '2.55.1')).toContain('pgBackRest is 2.55.1 on db2 and 2.45 on db1');
  isPrimary = false;
  expect(await refused()).toContain('db1 is not primary');
});

it('is given twice at once, and again when one has ended', async () => {
  says({});
  const first = await passages.open('db2', '2.45');
  const second = await passages.open('db2', '2.45');
  expect(await refused()).toContain('db2 has all that a backup needs already');
  const joined = [first.join(new PassThrough()), second.join(new PassThrough())];
  leave(new UnderstudyError('BACKUP_FAILED', 'no such file'));
  await joined[1];
  expect(warned).toEqual(['a backup on db2 was not served: no such file']);
  expect(await refused()).toBe('nothing');
});

it.each<[string, () => void]>([
  ['the run has ended', () => says({ state: 'failed', endedAt: '2026-11-22T12:00:00Z' })],
  ['another node makes one', () => says({ id: 'B-0008', node: 'db3' })],
  ['that node makes the next one', () => says({ id: 'B-0008' })],
  [
    'it is primary no more',
    () => {
      isPrimary = false;
    },
  ],
  ['the agent ends', () => ended.abort()],
])('ends as soon as %s', async (_, happens) => {
  says({});
  const joined = (await passages.open('db2', '2.45')).join(new PassThrough());
  await vi.advanceTimersByTimeAsync(10_000);
  expect(served).toEqual([{ isEnded: false }]);
  happens();
  await vi.advanceTimersByTimeAsync(2_000);
  expect(served).toEqual([{ isEnded: true }]);
  await joined;
});
