import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { backupOf, lsnIn, segment } from '../../test/fixtures/backups.ts';
import { declared, empty, openRepositoryWorld, type RepositoryWorld } from '../../test/fixtures/repository-world.ts';
import type { BackupCandidate } from '../core/backups/backup-node.ts';
import { lsnFromOffset } from '../core/lsn.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { encodeRecord } from '../records/codecs.ts';
import { endedRunKey, keys, timelineKey } from '../records/keys.ts';

let world: RepositoryWorld;
beforeEach(() => {
  world = openRepositoryWorld();
});
afterEach(async () => await world.end());

const away = () => new UnderstudyError('REPOSITORY_UNREACHABLE', 'nobody answers');

it('orders the first full backup by itself, and after a failure the next one later', async () => {
  world.mirror.image = { ...world.mirror.image, ...declared({}) };
  world.start();
  await vi.advanceTimersByTimeAsync(3_000);
  expect(world.mirror.image.backupRun?.value).toMatchObject({
    work: 'full',
    by: 'schedule',
    state: 'ordered',
    node: 'db1',
  });
  const fail = () => {
    const run = world.mirror.image.backupRun?.value;
    if (run === undefined) throw new Error('no run');
    const value = encodeRecord('backup-run', { ...run, state: 'failed', endedAt: new Date().toISOString() });
    world.mirror.put([
      { key: keys.backupRun, value },
      { key: endedRunKey('full'), value },
    ]);
  };
  fail();
  await vi.advanceTimersByTimeAsync(4 * 60_000);
  expect(world.mirror.image.backupRun?.value).toMatchObject({ id: 'B-0001', state: 'failed' });
  await vi.advanceTimersByTimeAsync(65_000);
  expect(world.mirror.image.backupRun?.value).toMatchObject({ id: 'B-0002', state: 'ordered', failuresBefore: 1 });
});

it('orders no backup of a server that archives only with its next start', async () => {
  world.mirror.image = { ...world.mirror.image, ...declared({}) };
  world.primary = world.server({ isOn: false });
  world.start();
  await vi.advanceTimersByTimeAsync(600_000);
  expect([world.record()?.contents, world.mirror.image.backupRun?.value]).toEqual([empty, undefined]);
  world.primary = world.server({ isOn: true }, 8);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(world.mirror.image.backupRun?.value).toMatchObject({ work: 'full', by: 'schedule' });
});

it('orders nothing before what a backup left was seen, however often the look fails', async () => {
  world.mirror.image = { ...world.mirror.image, ...declared({}) };
  world.start();
  await vi.advanceTimersByTimeAsync(3_000);
  const run = world.mirror.image.backupRun?.value;
  if (run === undefined) throw new Error('no run');
  world.look = () => Promise.reject(away());
  const value = encodeRecord('backup-run', { ...run, state: 'done', endedAt: new Date().toISOString() });
  world.mirror.put([{ key: keys.backupRun, value }]);
  await vi.advanceTimersByTimeAsync(120_000);
  expect([world.mirror.image.backupRun?.value.id, world.warned]).toEqual([
    'B-0001',
    [expect.stringContaining('nobody answers')],
  ]);
  // It was seen, and the store does not take it.
  world.contents = { ...empty, state: 'ok', backups: [backupOf('A', 'full', Date.now())] };
  const seen = world.mirror.image.repository;
  world.look = async () => {
    world.mirror.isAway = true;
    return world.contents;
  };
  await vi.advanceTimersByTimeAsync(6_000);
  [world.look, world.mirror.isAway] = [async () => world.contents, false];
  expect(world.mirror.image.repository).toEqual(seen);
  await vi.advanceTimersByTimeAsync(6_000);
  expect(world.mirror.image.backupRun?.value.id).toBe('B-0001');
  expect(world.record()?.contents.backups).toHaveLength(1);
});

describe('of proofs', () => {
  const db2: BackupCandidate = {
    lagBytes: 0,
    ...{ node: 'db2', role: 'database', priority: 100, failover: 'allowed', applyDelayMs: null, reachable: 'yes' },
    trouble: null,
    postgres: { state: 'standby', timeline: 1, receivedLsn: null, replayedLsn: '0/1', streamingFrom: 'db1', lagS: 0 },
  };
  const run = () => world.mirror.image.backupRun?.value;
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
    world.mirror.put([
      { key: keys.backupRun, value },
      { key: endedRunKey('proof'), value },
    ]);
  }

  /** An hour of WAL after a backup, and a proof each hour. */
  async function owed(): Promise<void> {
    world.mirror.image = { ...world.mirror.image, ...declared({ full: null, differential: null, proof: '0 * * * *' }) };
    world.mirror.put([
      { key: timelineKey(1), value: encodeRecord('timeline', { term: 1, timeline: 1, parent: null, forkLsn: '0/0' }) },
    ]);
    world.contents = { ...empty, state: 'ok', backups: [backupOf('A', 'full', '2026-11-22T11:00:00Z')] };
    world.ranges = [{ first: segment(1), last: segment(4) }];
    world.start();
    await vi.advanceTimersByTimeAsync(10_000);
    world.primary = world.server({ archivedTo: lsnFromOffset(lsnIn(5, 0)) });
    await vi.advanceTimersByTimeAsync(61_000);
  }

  it('orders one of a standby when it is owed, and waits for one that is fit', async () => {
    await owed();
    expect(run()).toBeUndefined();
    world.candidates = [db2];
    await vi.advanceTimersByTimeAsync(2_000);
    expect(run()).toMatchObject({ work: 'proof', node: 'db2', by: 'schedule', proof: { wanted: null } });
  });

  it('none twice at once, the next when it comes round, and it remembers the last success', async () => {
    world.candidates = [db2];
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
    world.candidates = [db2];
    await owed();
    end('failed');
    await vi.advanceTimersByTimeAsync(65 * 60_000);
    expect(run()).toMatchObject({ id: 'B-0002', failuresBefore: 1, proof: { wanted: moment, provenBefore: null } });
  });
});
