import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { MemoryMirror } from '../../test/fixtures/memory-mirror.ts';
import { exampleRecords } from '../../test/fixtures/records.ts';
import { specOf } from '../../test/fixtures/spec.ts';
import { timerClock } from '../../test/fixtures/timer-clock.ts';
import { stored } from '../../test/fixtures/view.ts';
import { deadAfterMs, endAfterMs } from '../core/backup-run.ts';
import { type BackupsSpec, defaultBackups } from '../core/backups-spec.ts';
import { type Lsn, lsnFromOffset } from '../core/lsn.ts';
import type { RepositoryContents } from '../core/repository.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Repository } from '../ports/repository.ts';
import { encodeRecord } from '../records/codecs.ts';
import { endedRunKey, keys } from '../records/keys.ts';
import { nextAfter } from '../timing/cron.ts';
import { RepositoryWatch } from './repository-watch.ts';

const empty: RepositoryContents = { state: 'empty', trouble: null, backups: [], archived: null };
const away = () => new UnderstudyError('REPOSITORY_UNREACHABLE', 'nobody answers');

let mirror: MemoryMirror;
let ended: AbortController;
let running: Promise<void>;
let start: () => void;
let told: string[];
let stanza: () => Promise<void>;
let stanzas: number;
let contents: RepositoryContents;
let primary: { pid: number; archivedTo: Lsn | null } | null;
let insertLsn: bigint;

beforeEach(() => {
  vi.useFakeTimers({ now: Date.parse('2026-11-22T12:00:00Z') });
  [mirror, ended, told] = [new MemoryMirror(declared({ full: null, differential: null })), new AbortController(), []];
  [stanza, stanzas, contents, insertLsn] = [async () => undefined, 0, empty, 0n];
  primary = { pid: 7, archivedTo: null };
  const unused = () => Promise.reject(new Error('not asked for here'));
  const repository: Repository = {
    ...{ commands: { archive: '', restore: '' }, stanza: 'psf-17', program: unused, configure: unused, forget: unused },
    ...{ verify: unused, restoreCommand: () => '', restore: unused, expire: unused, backup: unused },
    contents: async () => contents,
    async createStanza() {
      stanzas += 1;
      await stanza();
    },
  };
  const watch = new RepositoryWatch({
    ...{ self: 'db1', mirror, clock: timerClock, signal: ended.signal, isBusy: () => false },
    emit: (name) => void told.push(name),
    postgres: {
      async heartbeat() {
        insertLsn += 100n;
        return { at: new Date().toISOString(), lsn: lsnFromOffset(insertLsn) };
      },
    },
    primary: () => primary,
    repository: () => repository,
    nextAfter,
  });
  start = () => {
    running = watch.runForEver();
  };
});
afterEach(async () => {
  ended.abort();
  await vi.advanceTimersByTimeAsync(2_000);
  await running;
  vi.useRealTimers();
});

function declared(change: Partial<BackupsSpec>) {
  const backups = { ...defaultBackups, to: { kind: 'directory' as const, path: '/backups' }, ...change };
  const spec = specOf(['db1', 'db2'], { backups });
  return { spec: stored({ revision: 1, spec, appliedAt: '', appliedBy: '' }) };
}

const record = () => mirror.image.repository?.value;

it('makes the repository ready once for a server, and tells what it holds', async () => {
  start();
  await vi.advanceTimersByTimeAsync(30_000);
  expect([stanzas, record()?.contents]).toEqual([1, empty]);
  primary = { pid: 8, archivedTo: null };
  await vi.advanceTimersByTimeAsync(2_000);
  expect(stanzas).toBe(2);
});

it('does nothing on a node that is not primary', async () => {
  primary = null;
  start();
  await vi.advanceTimersByTimeAsync(120_000);
  expect([stanzas, record()]).toEqual([0, undefined]);
});

it('tries again with more and more time between, and tells it once', async () => {
  stanza = () => Promise.reject(away());
  start();
  await vi.advanceTimersByTimeAsync(600_000);
  expect(stanzas).toBeGreaterThan(8);
  expect(stanzas).toBeLessThan(16);
  expect(told).toEqual(['repository.unreachable']);
  stanza = async () => undefined;
  await vi.advanceTimersByTimeAsync(61_000);
  expect(told).toEqual(['repository.unreachable', 'repository.reached']);
});

it('says of the newest commit that is archived when it was made, and of none that is not', async () => {
  start();
  await vi.advanceTimersByTimeAsync(10_500);
  expect(record()?.safeUntil).toBeNull();
  primary = { pid: 7, archivedTo: lsnFromOffset(250n) };
  await vi.advanceTimersByTimeAsync(2_000);
  expect(record()?.safeUntil).toBe('2026-11-22T12:00:05.000Z');
});

it('keeps what it knew while the repository is away', async () => {
  start();
  await vi.advanceTimersByTimeAsync(2_000);
  const [backup] = [{ ...exampleRecords.repository.contents }];
  contents = { ...backup, state: 'ok', archived: { first: 'A', last: 'B' } };
  await vi.advanceTimersByTimeAsync(61_000);
  contents = { ...empty, state: 'unreachable', trouble: 'nobody answers' };
  await vi.advanceTimersByTimeAsync(61_000);
  expect(record()?.contents).toMatchObject({ state: 'unreachable', archived: { first: 'A' } });
  expect(told).toEqual(['repository.unreachable']);
});

it('ends the run of a node that fell silent, and no other', async () => {
  const run = { ...exampleRecords['backup-run'], state: 'running' as const };
  const put = (counter: number) =>
    mirror.put([{ key: keys.backupRun, value: encodeRecord('backup-run', { ...run, counter }) }]);
  start();
  for (let counter = 1; counter < 20; counter += 1) {
    put(counter);
    await vi.advanceTimersByTimeAsync(endAfterMs);
  }
  expect(mirror.image.backupRun?.value.state).toBe('running');
  await vi.advanceTimersByTimeAsync(deadAfterMs);
  expect(mirror.image.backupRun?.value).toMatchObject({ state: 'failed', outcome: 'db1 fell silent' });
  expect(mirror.image.endedRuns.get('full')?.value.state).toBe('failed');
});

it('orders the first full backup by itself, and after a failure the next one later', async () => {
  mirror.image = { ...mirror.image, ...declared({}) };
  start();
  await vi.advanceTimersByTimeAsync(3_000);
  expect(mirror.image.backupRun?.value).toMatchObject({ work: 'full', by: 'schedule', state: 'ordered', node: 'db1' });
  const fail = () => {
    const run = mirror.image.backupRun?.value;
    if (run === undefined) throw new Error('no run');
    const value = encodeRecord('backup-run', { ...run, state: 'failed', endedAt: new Date().toISOString() });
    mirror.put([
      { key: keys.backupRun, value },
      { key: endedRunKey('full'), value },
    ]);
  };
  fail();
  await vi.advanceTimersByTimeAsync(4 * 60_000);
  expect(mirror.image.backupRun?.value).toMatchObject({ id: 'B-0001', state: 'failed' });
  await vi.advanceTimersByTimeAsync(65_000);
  expect(mirror.image.backupRun?.value).toMatchObject({ id: 'B-0002', state: 'ordered', failuresBefore: 1 });
});
