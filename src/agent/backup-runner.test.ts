import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { MemoryMirror } from '../../test/fixtures/memory-mirror.ts';
import { exampleRecords } from '../../test/fixtures/records.ts';
import { specOf } from '../../test/fixtures/spec.ts';
import { stubRepository } from '../../test/fixtures/stub-repository.ts';
import { timerClock } from '../../test/fixtures/timer-clock.ts';
import { held, stored } from '../../test/fixtures/view.ts';
import { type BackupRun, deadAfterMs, endAfterMs, type RepositoryRecord } from '../core/backup-run.ts';
import type { RepositoryBackup } from '../core/repository.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { ProofWish, Prover } from '../ports/prover.ts';
import type { Repository } from '../ports/repository.ts';
import { encodeRecord } from '../records/codecs.ts';
import { keys, timelineKey } from '../records/keys.ts';
import { BackupRunner } from './backup-runner.ts';

const backup: RepositoryBackup = {
  ...{ label: '20261122-023000F', kind: 'full', prior: null, startLsn: '0/3000028', stopLsn: '0/3000100' },
  ...{ startedAt: '2026-11-22T02:30:00Z', finishedAt: '2026-11-22T02:31:00Z' },
  ...{ firstWal: '000000010000000000000003', lastWal: '000000010000000000000003' },
  ...{ databaseBytes: 1, repositoryBytes: 1, hasDamage: false },
};

let mirror: MemoryMirror;
let ended: AbortController;
let finish: (error?: UnderstudyError) => void;
/** Why the program was ended; `null`: it was not. */
let endedFor: string | null;
let began: number;
let running: Promise<void>;
/** What proofs find; and how often it was swept. */
let findings: readonly string[];
let swept: number;
let wished: ProofWish[];
let emitted: string[];
/** Of the proof that is under way. */
let proving: AbortSignal | null;

beforeEach(() => {
  vi.useFakeTimers();
  [mirror, ended, endedFor, began] = [new MemoryMirror(), new AbortController(), null, 0];
  [findings, swept, wished, emitted, proving] = [[], 1, [], [], null];
});
afterEach(async () => {
  ended.abort();
  await vi.advanceTimersByTimeAsync(1_000);
  await running;
  vi.useRealTimers();
});

/** One backup that ends when the test says so. */
function repository(): Repository {
  return stubRepository({
    createStanza: async () => undefined,
    expire: async () => [],
    backup: (_, onProgress, { signal }) => {
      began += 1;
      onProgress({ bytesDone: 5, bytesTotal: 10 });
      return new Promise((resolve, reject) => {
        finish = (error) => (error === undefined ? resolve(backup) : reject(error));
        signal?.addEventListener('abort', () => {
          endedFor = String(signal.reason);
          reject(new UnderstudyError('PROCESS_FAILED', 'it was cancelled'));
        });
      });
    },
  });
}

const prover: Prover = {
  sweep: () => {
    swept += 1;
    return swept === 1
      ? Promise.reject(new UnderstudyError('POSTGRES_TIMEOUT', 'it does not yield'))
      : Promise.resolve();
  },
  prove: async (_, wish, { onStep }, signal) => {
    proving = signal;
    wished.push(wish);
    onStep('restore');
    await new Promise((resolve) => setTimeout(resolve, 10_000));
    onStep('amcheck');
    await new Promise((resolve) => setTimeout(resolve, 10_000));
    const result = { moment: '2026-11-21T00:00:00.000Z', label: 'A', walBytes: 1, tookMs: 41_000, checks: [] };
    return { ...result, findings, failedIn: findings.length === 0 ? null : 'amcheck' };
  },
};

function start(reached: Repository | null | (() => Repository | null) = repository()): void {
  const runner = new BackupRunner({
    ...{ self: 'db1', mirror, clock: timerClock, signal: ended.signal, emit: (name) => void emitted.push(name) },
    postgres: { checkpoint: async () => undefined },
    agentOf: () => {
      throw new Error('it is primary itself');
    },
    repository: () => (typeof reached === 'function' ? reached() : reached),
    ...{ trouble: () => 'no secret yet', prover },
  });
  running = runner.runForEver();
}

function order(change: Partial<BackupRun> = {}): void {
  const run: BackupRun = { ...exampleRecords['backup-run'], state: 'ordered', counter: 0, progress: null, ...change };
  if (run.work !== 'proof') mirror.image = { ...mirror.image, lease: held('db1') };
  mirror.put([{ key: keys.backupRun, value: encodeRecord('backup-run', run) }]);
}

const now = (): BackupRun | undefined => mirror.image.backupRun?.value;

it('begins what is ordered of it, shows that it lives, and says what came of it', async () => {
  start();
  order();
  await vi.advanceTimersByTimeAsync(7_000);
  expect(now()).toMatchObject({ state: 'running', progress: { bytesDone: 5, bytesTotal: 10 } });
  expect(now()?.counter).toBeGreaterThanOrEqual(3);
  finish();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(now()).toMatchObject({ state: 'done', outcome: backup.label });
  expect(mirror.image.endedRuns.get('full')?.value).toEqual(now());
  expect(began).toBe(1);
});

it('says why it failed', async () => {
  start();
  order();
  await vi.advanceTimersByTimeAsync(1_000);
  finish(new UnderstudyError('BACKUP_FAILED', 'no space'));
  await vi.advanceTimersByTimeAsync(1_000);
  expect(now()).toMatchObject({ state: 'failed', outcome: expect.stringContaining('no space') });
});

it('leaves what is ordered of others, and what has ended', async () => {
  start();
  order({ node: 'db2' });
  await vi.advanceTimersByTimeAsync(5_000);
  order({ state: 'done' });
  await vi.advanceTimersByTimeAsync(5_000);
  expect(began).toBe(0);
});

it('does not go on with what an earlier process of it began', async () => {
  start();
  order({ state: 'running', counter: 4 });
  await vi.advanceTimersByTimeAsync(1_000);
  expect([began, now()?.state]).toEqual([0, 'failed']);
});

it('ends the program when the store can not be told for long, earlier than anybody counts it as dead', async () => {
  start();
  order();
  await vi.advanceTimersByTimeAsync(1_000);
  mirror.isAway = true;
  await vi.advanceTimersByTimeAsync(endAfterMs - 5_000);
  expect(endedFor).toBeNull();
  await vi.advanceTimersByTimeAsync(deadAfterMs - endAfterMs - 10_000);
  expect(endedFor).toContain('could not be told');
  mirror.isAway = false;
  await vi.advanceTimersByTimeAsync(10_000);
  expect(now()).toMatchObject({ state: 'failed', outcome: expect.stringContaining('could not be told') });
});

it('ends the program when somebody else counts it as dead, and leaves his word', async () => {
  start();
  order();
  await vi.advanceTimersByTimeAsync(4_000);
  order({ id: 'B-0007', state: 'failed', counter: 99, outcome: 'db1 fell silent' });
  await vi.advanceTimersByTimeAsync(4_000);
  expect(endedFor).toContain('dead');
  expect(now()).toMatchObject({ counter: 99, outcome: 'db1 fell silent' });
});

it('goes on when the store took what it said, and only the answer got lost', async () => {
  start();
  order();
  mirror.losesReplies = true;
  await vi.advanceTimersByTimeAsync(150);
  expect([now()?.state, began]).toEqual(['running', 0]);
  mirror.losesReplies = false;
  await vi.advanceTimersByTimeAsync(1_000);
  expect(began).toBe(1);
  mirror.losesReplies = true;
  await vi.advanceTimersByTimeAsync(3_000);
  mirror.losesReplies = false;
  const lost = now()?.counter ?? 0;
  await vi.advanceTimersByTimeAsync(10_000);
  expect([now()?.state, endedFor]).toEqual(['running', null]);
  expect(now()?.counter).toBeGreaterThan(lost + 2);
  mirror.losesReplies = true;
  finish();
  await vi.advanceTimersByTimeAsync(1_000);
  mirror.losesReplies = false;
  await vi.advanceTimersByTimeAsync(10_000);
  expect(now()).toMatchObject({ state: 'done', outcome: backup.label });
});

it('says what came of it also when the last proof of life was taken unheard', async () => {
  start();
  order();
  await vi.advanceTimersByTimeAsync(1_000);
  const before = mirror.image;
  mirror.losesReplies = true;
  await vi.advanceTimersByTimeAsync(3_000);
  mirror.losesReplies = false;
  // As one that has not heard of it yet: the first refusal tells it.
  const newer = mirror.image;
  mirror.image = before;
  finish();
  await vi.advanceTimersByTimeAsync(10);
  mirror.image = newer;
  await vi.advanceTimersByTimeAsync(4_000);
  expect(now()).toMatchObject({ state: 'done', outcome: backup.label });
});

it('says what keeps it from the repository', async () => {
  start(null);
  order();
  await vi.advanceTimersByTimeAsync(4_000);
  expect(now()?.state).toBe('running');
  await vi.advanceTimersByTimeAsync(3_000);
  expect(now()).toMatchObject({ state: 'failed', outcome: expect.stringContaining('no secret yet') });
});

it('begins with a repository that is within reach a moment later', async () => {
  let reached: Repository | null = null;
  start(() => reached);
  order();
  await vi.advanceTimersByTimeAsync(3_000);
  reached = repository();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(began).toBe(1);
});

const part = { wanted: null, step: null, result: null, provenBefore: null };
const archive = { segmentBytes: 4 * 1024 * 1024, ranges: [], marks: [] };
const known: RepositoryRecord = { ...exampleRecords.repository, archive };

/** The store knows what can be recovered to. */
function knows(): void {
  mirror.put([
    { key: keys.repository, value: encodeRecord('repository', known) },
    { key: timelineKey(1), value: encodeRecord('timeline', { term: 1, timeline: 1, parent: null, forkLsn: '0/0' }) },
  ]);
}

it('sweeps what an earlier process left before it begins anything', async () => {
  swept = 0;
  start();
  order();
  await vi.advanceTimersByTimeAsync(1_000);
  expect([swept, began]).toEqual([1, 0]);
  await vi.advanceTimersByTimeAsync(6_000);
  expect([swept, began]).toEqual([2, 1]);
  finish();
});

it('shows the steps of a proof, and keeps what came of it', async () => {
  knows();
  start();
  order({ work: 'proof', proof: { ...part, wanted: '2026-11-21T00:00:00.000Z' } });
  await vi.advanceTimersByTimeAsync(8_000);
  expect(now()?.proof).toMatchObject({ step: 'restore', result: null });
  await vi.advanceTimersByTimeAsync(10_000);
  expect(now()?.proof?.step).toBe('amcheck');
  await vi.advanceTimersByTimeAsync(10_000);
  expect(now()).toMatchObject({ state: 'done', proof: { step: null, result: { label: 'A', findings: [] } } });
  expect(mirror.image.endedRuns.get('proof')?.value).toEqual(now());
  expect(wished).toMatchObject([{ wanted: '2026-11-21T00:00:00.000Z', segmentBytes: archive.segmentBytes }]);
  expect(emitted).toEqual(['proof.done']);
});

it('fails a proof that found something, and keeps what it found', async () => {
  knows();
  findings = ['an index lacks rows'];
  start();
  order({ work: 'proof', proof: part });
  await vi.advanceTimersByTimeAsync(32_000);
  expect(now()).toMatchObject({ state: 'failed', outcome: 'an index lacks rows', proof: { result: { findings } } });
  expect(emitted).toEqual(['proof.failed']);
});

it('ends a proof when its node is to serve writes, which says nothing of the backups', async () => {
  knows();
  findings = ['a server that was killed answers nothing'];
  const spec = specOf(['db1', 'db2']);
  mirror.image = { ...mirror.image, spec: stored({ revision: 1, spec, appliedAt: '', appliedBy: '' }) };
  start();
  order({ work: 'proof', proof: part });
  await vi.advanceTimersByTimeAsync(8_000);
  expect(proving?.aborted).toBe(false);
  const held = { state: 'held' as const, term: 4, holder: 'db1', ttlMs: 6_000 };
  mirror.put([{ key: keys.lease, value: encodeRecord('lease', held) }]);
  await vi.advanceTimersByTimeAsync(1_500);
  expect(proving?.aborted).toBe(true);
  await vi.advanceTimersByTimeAsync(20_000);
  const outcome = expect.stringContaining('could not be tried: db1 serves writes');
  expect(now()).toMatchObject({ state: 'failed', outcome, proof: { result: null } });
  proving = null;
  order({ work: 'proof', proof: part, id: 'B-0099' });
  await vi.advanceTimersByTimeAsync(2_000);
  expect([proving, now()?.state]).toEqual([null, 'failed']);
});

it('proves on the only node there is, although it serves writes', async () => {
  knows();
  const spec = specOf(['db1']);
  mirror.image = { ...mirror.image, spec: stored({ revision: 1, spec, appliedAt: '', appliedBy: '' }) };
  const held = { state: 'held' as const, term: 4, holder: 'db1', ttlMs: 6_000 };
  mirror.put([{ key: keys.lease, value: encodeRecord('lease', held) }]);
  start();
  order({ work: 'proof', proof: part });
  await vi.advanceTimersByTimeAsync(30_000);
  expect(now()).toMatchObject({ state: 'done' });
});

it('proves nothing while it is not known what there is', async () => {
  start();
  order({ work: 'proof', proof: part });
  await vi.advanceTimersByTimeAsync(12_000);
  expect(now()).toMatchObject({ state: 'failed', outcome: expect.stringContaining('not known yet'), proof: part });
});
