/**
 * A standby of a cluster under load is cloned from the backups, and from its primary where the repository goes away meanwhile. Played
 * with `TEST_LONG=1`.
 */
import { existsSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { run } from '../src/process/run.ts';
import { until } from './fixtures/postgres-cluster.ts';
import { startWriters, type TestStage, withStage } from './fixtures/stage.ts';
import { declareBackups, ordered, restartEverything } from './fixtures/stage-backups.ts';

/** db2 is primary afterwards. */
async function beginBackups(stage: TestStage): Promise<void> {
  await declareBackups(stage, 'directory');
  await ordered(stage, 'restart', 'db3');
  await restartEverything(stage);
  await ordered(stage, 'backup', 'now');
}

async function written(stage: TestStage, node: string): Promise<string> {
  const user = process.getuid?.() === 0 ? { user: stage.record.user } : {};
  const sql = ['-c', 'select count(*), coalesce(sum(id), 0) from written'];
  const args = ['-X', '-A', '-t', '-h', join(stage.record.run, node), '-U', 'postgres', '-d', 'shop', ...sql];
  return (await run('psql', args, { withinMs: 10_000, cwd: '/', ...user })).stdout.trim();
}

/** Up to where the primary was when it was asked. `false` also while it does not run. */
async function hasReplayed(stage: TestStage, lsn: string): Promise<boolean> {
  const asked = stage.local('db3', `select pg_last_wal_replay_lsn() >= '${lsn}' as has_it`);
  const [row] = await asked.catch(() => []);
  return row?.has_it === true;
}

test.runIf(process.env.TEST_LONG === '1')(
  'a standby is cloned from the backups under load, and from the primary when these go away in the middle',
  { timeout: 300_000 },
  async () => {
    await withStage({ nodes: 3, appNodes: 1 }, async (stage) => {
      const repository = join(stage.record.root, 'backups');
      await beginBackups(stage);
      const writers = await startWriters(stage, 4, 'on', 'app1');
      const began = performance.now();
      const cloned = await stage.cli('reinit', 'db3', '--from-backups', '--json');
      expect(cloned.code, cloned.stderr).toBe(0);
      const took = Math.round(performance.now() - began);
      const { from } = z.object({ from: z.string() }).parse(JSON.parse(cloned.stdout));
      expect(from).toMatch(/^backup \d{8}-\d{6}F$/);
      console.log(`cloned from ${from} in ${took} ms`);
      await stage.untilWhole();

      const incoming = join(stage.record.root, 'db3', 'data.incoming');
      // Killed in the middle, what was built is nobody's: the old directory serves, and the next one begins anew.
      const cut = stage.cli('reinit', 'db3', '--from-backups');
      await until('the restore has begun', async () => existsSync(join(incoming, 'base')));
      stage.signal('agent', 'db3', 'SIGKILL');
      await until('another agent runs', async () => stage.processes('agent', 'db3').length > 0);
      const [end] = await stage.local('db2', 'select pg_current_wal_lsn()::text as lsn');
      await until('it goes on', () => hasReplayed(stage, String(end?.lsn)), 60_000);
      const forgotten = expect.stringContaining('was started anew, and knows nothing of the order');
      expect(await cut).toMatchObject({ code: 1, stderr: forgotten });
      await stage.untilWhole();

      const made = () => statSync(incoming, { throwIfNoEntry: false })?.birthtimeMs;
      const left = made();
      const again = stage.cli('reinit', 'db3', '--from-backups');
      await until('the restore has begun anew', async () => made() !== left && existsSync(join(incoming, 'base')));
      renameSync(repository, `${repository}.away`);
      try {
        const { code, stdout, stderr } = await again;
        expect([code, stdout], stderr).toEqual([
          0,
          expect.stringMatching(/could not take its base from the backups, and copies db2: .*\n.*was cloned from db2/s),
        ]);
      } finally {
        renameSync(`${repository}.away`, repository);
      }
      await stage.untilWhole();
      const { acknowledged, missing } = await writers.stop();
      expect([acknowledged > 0, missing]).toEqual([true, 0]);
      await until('both have the same', async () => (await written(stage, 'db3')) === (await written(stage, 'db2')));
      console.log((await stage.cli('events')).stdout);
      const backup = await stage.cli('backup', 'now');
      expect(backup.code, backup.stderr).toBe(0);
    });
  },
);
