import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { backupOf, lsnIn, segment, segmentBytes } from '../../test/fixtures/backups.ts';
import { MemoryMirror } from '../../test/fixtures/memory-mirror.ts';
import { exampleRecords } from '../../test/fixtures/records.ts';
import { specOf } from '../../test/fixtures/spec.ts';
import { stubRepository } from '../../test/fixtures/stub-repository.ts';
import { timerClock } from '../../test/fixtures/timer-clock.ts';
import { stored } from '../../test/fixtures/view.ts';
import { deadAfterMs, endAfterMs } from '../core/backup-run.ts';
import type { ProofCandidate } from '../core/backups/proof-node.ts';
import { type BackupsSpec, defaultBackups } from '../core/backups-spec.ts';
import { type ArchiverFacts, idleArchiver } from '../core/local-postgres.ts';
import { lsnFromOffset } from '../core/lsn.ts';
import type { ArchivedRange, RepositoryContents } from '../core/repository.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { encodeRecord } from '../records/codecs.ts';
import { endedRunKey, keys, timelineKey } from '../records/keys.ts';
import { nextAfter } from '../timing/cron.ts';
import { ArchiveHeartbeat, type WatchedServer } from './archive-heartbeat.ts';
import { RepositoryStanding } from './repository-standing.ts';
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
let look: () => Promise<RepositoryContents>;
let warned: string[];
let list: () => Promise<readonly ArchivedRange[]>;
let primary: WatchedServer | null;
let views: number;
let ranges: readonly ArchivedRange[];
let lacking: string | null;
let insertLsn: bigint;
let candidates: readonly ProofCandidate[];

beforeEach(() => {
  vi.useFakeTimers({ now: Date.parse('2026-11-22T12:00:00Z') });
  [mirror, ended, told] = [new MemoryMirror(declared({ full: null, differential: null })), new AbortController(), []];
  [stanza, stanzas, contents, insertLsn] = [async () => undefined, 0, empty, 0n];
  [look, list, warned, views] = [async () => contents, async () => ranges, [], 0];
  [primary, ranges, lacking, candidates] = [server({}), [], null, []];
  const repository = stubRepository({
    contents: () => look(),
    archivedRanges: () => list(),
    async createStanza() {
      stanzas += 1;
      await stanza();
    },
  });
  const common = {
    ...{ self: 'db1', mirror, clock: timerClock, signal: ended.signal, isBusy: () => false },
    standing: new RepositoryStanding({ mirror, signal: ended.signal }),
    emit: (name: string) => void told.push(name),
    primary: () => {
      views += 1;
      return primary;
    },
    warn: (text: string) => void warned.push(text),
  };
  const heartbeat = new ArchiveHeartbeat({
    ...common,
    hasRepository: () => lacking === null,
    postgres: {
      async heartbeat() {
        insertLsn += 100n;
        return { atMs: Date.now(), timeline: 1, lsn: lsnFromOffset(insertLsn) };
      },
    },
  });
  const watch = new RepositoryWatch({
    ...{ ...common, heartbeat },
    repository: () => (lacking === null ? repository : null),
    lacking: () => lacking,
    candidates: () => candidates,
    nextAfter,
  });
  start = () => {
    running = Promise.all([heartbeat.runForEver(), watch.runForEver()]).then(() => undefined);
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

function server(archiver: Partial<ArchiverFacts>, pid = 7): WatchedServer {
  const all = { ...idleArchiver, segmentBytes, ...archiver };
  return { pid, timeline: 1, insertLsn: lsnFromOffset(insertLsn), archiver: all };
}

const record = () => mirror.image.repository?.value;

it('makes the repository ready once for a server, and tells what it holds', async () => {
  start();
  await vi.advanceTimersByTimeAsync(30_000);
  expect([stanzas, record()?.contents]).toEqual([1, empty]);
  primary = server({}, 8);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(stanzas).toBe(2);
});

it('does nothing on a node that is not primary', async () => {
  primary = null;
  start();
  await vi.advanceTimersByTimeAsync(120_000);
  expect([stanzas, record()]).toEqual([0, undefined]);
});

it('asks for no view, each of which costs one of everything, while no backups are declared', async () => {
  const { spec } = mirror.image;
  const undeclared = { revision: 1, spec: specOf(['db1', 'db2']), appliedAt: '', appliedBy: '' };
  mirror.image = { ...mirror.image, spec: stored(undeclared) };
  start();
  await vi.advanceTimersByTimeAsync(60_000);
  expect([views, stanzas, record()]).toEqual([0, 0, undefined]);
  mirror.image = { ...mirror.image, spec };
  await vi.advanceTimersByTimeAsync(2_000);
  expect([views > 0, stanzas]).toEqual([true, 1]);
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
  primary = server({ archivedTo: lsnFromOffset(250n) });
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

it('orders no backup of a server that archives only with its next start', async () => {
  mirror.image = { ...mirror.image, ...declared({}) };
  primary = server({ isOn: false });
  start();
  await vi.advanceTimersByTimeAsync(600_000);
  expect([record()?.contents, mirror.image.backupRun?.value]).toEqual([empty, undefined]);
  primary = server({ isOn: true }, 8);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(mirror.image.backupRun?.value).toMatchObject({ work: 'full', by: 'schedule' });
});

it('orders nothing before what a backup left was seen, however often the look fails', async () => {
  mirror.image = { ...mirror.image, ...declared({}) };
  start();
  await vi.advanceTimersByTimeAsync(3_000);
  const run = mirror.image.backupRun?.value;
  if (run === undefined) throw new Error('no run');
  look = () => Promise.reject(away());
  const value = encodeRecord('backup-run', { ...run, state: 'done', endedAt: new Date().toISOString() });
  mirror.put([{ key: keys.backupRun, value }]);
  await vi.advanceTimersByTimeAsync(120_000);
  expect([mirror.image.backupRun?.value.id, warned]).toEqual(['B-0001', [expect.stringContaining('nobody answers')]]);
  // It was seen, and the store does not take it.
  contents = { ...empty, state: 'ok', backups: [backupOf('A', 'full', Date.now())] };
  const seen = mirror.image.repository;
  look = async () => {
    mirror.isAway = true;
    return contents;
  };
  await vi.advanceTimersByTimeAsync(6_000);
  [look, mirror.isAway] = [async () => contents, false];
  expect(mirror.image.repository).toEqual(seen);
  await vi.advanceTimersByTimeAsync(6_000);
  expect(mirror.image.backupRun?.value.id).toBe('B-0001');
  expect(record()?.contents.backups).toHaveLength(1);
});

it('goes on with heartbeats while the repository is slow, and a look takes nothing of them back', async () => {
  start();
  await vi.advanceTimersByTimeAsync(10_500);
  let answer: () => void = () => undefined;
  look = () =>
    new Promise((resolve) => {
      answer = () => resolve(contents);
    });
  await vi.advanceTimersByTimeAsync(90_000);
  primary = server({ archivedTo: lsnFromOffset(insertLsn) });
  await vi.advanceTimersByTimeAsync(3_000);
  const safe = Date.parse(record()?.safeUntil ?? '');
  expect(Date.now() - safe).toBeLessThan(10_000);
  primary = server({ archivedTo: lsnFromOffset(insertLsn), failing: { segment: segment(1), at: '' }, waiting: 3 });
  await vi.advanceTimersByTimeAsync(70_000);
  expect(told).toEqual(['archive.stalled']);
  answer();
  await vi.advanceTimersByTimeAsync(10);
  expect(Date.parse(record()?.safeUntil ?? '')).toBeGreaterThanOrEqual(safe);
  expect(record()?.stalled).not.toBeNull();
  expect(Date.now() - Date.parse(record()?.lookedAt ?? '')).toBeLessThan(1_000);
});

it('writes nothing of a look whose server is primary no more', async () => {
  start();
  await vi.advanceTimersByTimeAsync(3_000);
  const before = record();
  look = async () => {
    primary = null;
    return { ...contents, state: 'ok' };
  };
  await vi.advanceTimersByTimeAsync(61_000);
  expect([primary, record()]).toEqual([null, before]);
});

it('says what WAL is there, and of which commits in it the time is known', async () => {
  start();
  await vi.advanceTimersByTimeAsync(6_000);
  ranges = [{ first: segment(1), last: segment(4) }];
  contents = { ...empty, state: 'ok', backups: [backupOf('A', 'full', '2026-11-22T11:00:00Z')] };
  primary = server({ archivedTo: lsnFromOffset(lsnIn(5, 0)) });
  await vi.advanceTimersByTimeAsync(61_000);
  expect(record()?.archive).toEqual({
    segmentBytes,
    ranges,
    listedAt: record()?.lookedAt,
    marks: [{ atMs: Date.parse('2026-11-22T12:01:00.000Z'), timeline: 1, lsn: expect.stringMatching(/^0\//) }],
  });
});

it('keeps what it listed last while listing fails, with its time, and says so once in the log', async () => {
  start();
  ranges = [{ first: segment(1), last: segment(4) }];
  contents = { ...empty, state: 'ok', backups: [backupOf('A', 'full', '2026-11-22T11:00:00Z')] };
  await vi.advanceTimersByTimeAsync(3_000);
  const { archive, lookedAt } = record() ?? {};
  expect(archive).toMatchObject({ ranges, listedAt: lookedAt });
  list = () => Promise.reject(new UnderstudyError('TIMEOUT', 'listing the WAL takes long'));
  await vi.advanceTimersByTimeAsync(130_000);
  expect(record()?.archive).toEqual(archive);
  expect(record()?.lookedAt).not.toBe(lookedAt);
  expect(warned).toEqual(['the WAL in the repository could not be listed: listing the WAL takes long']);
});

it('tells once that the archiver stands still, at which rate WAL comes in, and that it goes on', async () => {
  start();
  await vi.advanceTimersByTimeAsync(6_000);
  const failing = { segment: segment(1), at: '' };
  const beginMs = Date.now();
  for (let second = 0; second <= 200; second += 1) {
    primary = { ...server({ failing, waiting: 3 }), insertLsn: lsnFromOffset(BigInt(second) * 1_000n) };
    await vi.advanceTimersByTimeAsync(1_000);
    if (second === 55) expect(told).toEqual([]);
  }
  expect(told).toEqual(['archive.stalled']);
  expect(Date.parse(record()?.stalled?.since ?? '') - beginMs).toBeLessThan(2_000);
  expect(record()?.stalled?.bytesPerS).toBeGreaterThan(950);
  expect(record()?.stalled?.bytesPerS).toBeLessThan(1_050);
  // Another server, which has archived nothing yet.
  primary = server({}, 8);
  await vi.advanceTimersByTimeAsync(120_000);
  expect(record()?.stalled).not.toBeNull();
  primary = server({ archivedTo: lsnFromOffset(100n) }, 8);
  await vi.advanceTimersByTimeAsync(5_000);
  expect([record()?.stalled, told]).toEqual([null, ['archive.stalled', 'archive.resumed']]);
});

it('has it stand in the store when this node lacks what it needs, and not at once', async () => {
  lacking = 'the secret of the repository has not been given yet';
  start();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(record()).toBeUndefined();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(record()?.contents).toEqual({ ...empty, state: 'unreachable', trouble: lacking });
  lacking = null;
  await vi.advanceTimersByTimeAsync(3_000);
  expect([record()?.contents, told]).toEqual([empty, ['repository.unreachable', 'repository.reached']]);
});

describe('of proofs', () => {
  const db2: ProofCandidate = {
    ...{ node: 'db2', role: 'database', priority: 100, failover: 'allowed', applyDelayMs: null, reachable: 'yes' },
    trouble: null,
    postgres: { state: 'standby', timeline: 1, receivedLsn: null, replayedLsn: '0/1', streamingFrom: 'db1', lagS: 0 },
  };
  const run = () => mirror.image.backupRun?.value;
  const moment = '2026-11-22T11:30:00.000Z';

  function end(state: 'done' | 'failed'): void {
    const last = run();
    if (last?.proof == null) throw new Error('no proof');
    const result = {
      ...{ moment, label: 'A', walBytes: 1, tookMs: 41_000, checks: [], findings: [] },
      failedIn: state === 'failed' ? ('recover' as const) : null,
    };
    const ended = { ...last, state, endedAt: new Date().toISOString(), proof: { ...last.proof, result } };
    const value = encodeRecord('backup-run', ended);
    mirror.put([
      { key: keys.backupRun, value },
      { key: endedRunKey('proof'), value },
    ]);
  }

  /** An hour of WAL after a backup, and a proof each hour. */
  async function owed(): Promise<void> {
    mirror.image = { ...mirror.image, ...declared({ full: null, differential: null, proof: '0 * * * *' }) };
    mirror.put([
      { key: timelineKey(1), value: encodeRecord('timeline', { term: 1, timeline: 1, parent: null, forkLsn: '0/0' }) },
    ]);
    contents = { ...empty, state: 'ok', backups: [backupOf('A', 'full', '2026-11-22T11:00:00Z')] };
    ranges = [{ first: segment(1), last: segment(4) }];
    start();
    await vi.advanceTimersByTimeAsync(10_000);
    primary = server({ archivedTo: lsnFromOffset(lsnIn(5, 0)) });
    await vi.advanceTimersByTimeAsync(61_000);
  }

  it('orders one of a standby when it is owed, and waits for one that is fit', async () => {
    await owed();
    expect(run()).toBeUndefined();
    candidates = [db2];
    await vi.advanceTimersByTimeAsync(2_000);
    expect(run()).toMatchObject({ work: 'proof', node: 'db2', by: 'schedule', proof: { wanted: null } });
  });

  it('none twice at once, the next when it comes round, and it remembers the last success', async () => {
    candidates = [db2];
    await owed();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(run()?.id).toBe('B-0001');
    end('done');
    const endedAt = run()?.endedAt;
    await vi.advanceTimersByTimeAsync(30 * 60_000);
    expect(run()?.id).toBe('B-0001');
    await vi.advanceTimersByTimeAsync(40 * 60_000);
    const provenBefore = { at: endedAt, moment, tookMs: 41_000 };
    expect(run()).toMatchObject({ id: 'B-0002', proof: { wanted: null, result: null, provenBefore } });
  });

  it('tries the moment again that could not be restored', async () => {
    candidates = [db2];
    await owed();
    end('failed');
    await vi.advanceTimersByTimeAsync(65 * 60_000);
    expect(run()).toMatchObject({ id: 'B-0002', failuresBefore: 1, proof: { wanted: moment, provenBefore: null } });
  });
});
