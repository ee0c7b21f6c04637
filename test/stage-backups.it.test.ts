/**
 * Backups of a real cluster into object storage over verified TLS: WAL goes on through a switchover and the loss of a primary without
 * a gap, backups are made, verified and listed, and whoever can't reach the repository says so and loses nothing.
 */
import { expect, test } from 'vitest';
import type { BackupStanding } from '../src/api/contract/backups.ts';
import type { ObjectStore } from './fixtures/object-store.ts';
import { until } from './fixtures/postgres-cluster.ts';
import { startWriters, type TestStage } from './fixtures/stage.ts';
import { withBackedUpStage } from './fixtures/stage-backups.ts';

async function standing(stage: TestStage): Promise<BackupStanding> {
  const { code, stdout, stderr } = await stage.cli('backup', 'list', '--json');
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout);
}

/** Names of the segments in the repository, by timeline, as numbers. */
function archived(store: ObjectStore): ReadonlyMap<string, readonly number[]> {
  const timelines = new Map<string, number[]>();
  for (const { key } of store.objects('pg/archive/')) {
    const [, timeline, log = '', segment = ''] =
      /\/([0-9A-F]{8})([0-9A-F]{8})([0-9A-F]{8})-[0-9a-f]{40}/.exec(key) ?? [];
    if (timeline === undefined) continue;
    // 4 MiB each: 1024 of them make one of the files that names count by.
    const number = Number.parseInt(log, 16) * 1_024 + Number.parseInt(segment, 16);
    timelines.set(
      timeline,
      [...(timelines.get(timeline) ?? []), number].sort((a, b) => a - b),
    );
  }
  return timelines;
}

/** Every timeline without a gap, and each beginning no later than where the one before ended. */
function expectNoGap(store: ObjectStore): void {
  const found = archived(store);
  let end = 0;
  // What was written before archiving began may be none of a whole segment.
  expect([...found.keys()].sort().slice(-2)).toEqual(['00000002', '00000003']);
  for (const [, numbers] of [...found].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const [first = 0] = numbers;
    expect(numbers).toEqual(numbers.map((_, index) => first + index));
    if (end > 0) expect(first).toBeLessThanOrEqual(end + 1);
    end = first + numbers.length - 1;
  }
}

/** Gone for a while, and then with a damaged object. pgBackRest waits long before it gives up. */
async function strikeTheStore(stage: TestStage, store: ObjectStore): Promise<void> {
  await store.stop();
  const failed = await stage.cli('backup', 'now');
  expect(failed.code).toBe(1);
  await until('it is told', async () => (await standing(stage)).repository?.contents.state === 'unreachable', 90_000);
  expect((await stage.cli('events')).stdout).toContain('can put nothing into the repository of backups');
  await store.start();
  await until('it is back', async () => (await standing(stage)).repository?.contents.state === 'ok', 90_000);
  expectNoGap(store);

  const [damaged] = store.objects('pg/backup/').filter(({ key }) => key.includes('/bundle/'));
  store.corrupt(damaged?.key ?? 'none');
  const found = await stage.cli('backup', 'verify');
  expect([found.code, found.stderr]).toEqual([1, expect.stringContaining('checksum')]);
}

// Minutes: in long runs alone.
test.runIf(process.env.TEST_LONG === '1')(
  'WAL and backups reach object storage through a switchover and the loss of a primary',
  {
    timeout: 300_000,
  },
  async () => {
    await withBackedUpStage(async (stage, store) => {
      const made = await stage.cli('backup', 'now', '--json');
      expect(made.code, made.stderr).toBe(0);
      // db2 is primary, and archives.
      expect(JSON.parse(made.stdout)).toMatchObject({ work: 'full', state: 'done', node: 'db1' });

      const writers = await startWriters(stage, 4, 'local', 'app1');
      expect((await stage.cli('switchover', '--to', 'db1')).code).toBe(0);
      await stage.untilWhole();
      const differential = await stage.cli('backup', 'now');
      expect(differential.stdout, differential.stderr).toMatch(
        /differential on db2 is done: \d{8}-\d{6}F_\d{8}-\d{6}D/,
      );
      // The agent starts it again in its place, on a new postmaster.
      stage.signal('postmaster', 'db1', 'SIGKILL');
      await stage.untilWhole();
      await writers.stop();

      const verified = await stage.cli('backup', 'verify');
      expect(verified.code, verified.stderr).toBe(0);
      await until(
        'a commit is known to be safe',
        async () => (await standing(stage)).repository?.safeUntil != null,
        120_000,
      );
      const { repository } = await standing(stage);
      expect(repository?.contents.backups.map(({ kind }) => kind)).toEqual(['full', 'differential']);
      expectNoGap(store);

      if (process.env.TEST_LONG === '1') await strikeTheStore(stage, store);
    });
  },
);
