/** A standby that is away until its slot has run out comes back by the archive and is not cloned. Played with `TEST_LONG=1`. */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { until } from './fixtures/postgres-cluster.ts';
import { type TestStage, withStage } from './fixtures/stage.ts';
import { declareBackups, restartEverything } from './fixtures/stage-backups.ts';

/** Until the slot of db1 on db2 has lost its WAL, and all of that is archived. */
async function outgrowBudget(stage: TestStage): Promise<void> {
  await until(
    'the slot is lost',
    async () => {
      await stage.local('db2', `select pg_logical_emit_message(false, 'x', repeat('x', 8000000))`);
      await stage.local('db2', 'select pg_switch_wal()');
      const slots = await stage.local(
        'db2',
        `select from pg_replication_slots where wal_status = 'lost' or restart_lsn is null`,
      );
      return slots.length > 0;
    },
    120_000,
  );
  const [switched] = await stage.local('db2', 'select pg_walfile_name(pg_switch_wal()) as name');
  await until(
    'everything is archived',
    async () => {
      const [row] = await stage.local('db2', 'select last_archived_wal as name from pg_stat_archiver');
      return String(row?.name ?? '') >= String(switched?.name);
    },
    120_000,
  );
}

test.runIf(process.env.TEST_LONG === '1')(
  'a standby whose slot ran out goes on from the archive',
  { timeout: 400_000 },
  async () => {
    await withStage({ nodes: 2, appNodes: 0 }, async (stage) => {
      const lean = { max_wal_size: '32MB', wal_keep_size: '0' };
      await declareBackups(stage, 'directory', ({ postgres }) => ({
        postgres: { ...postgres, wal_budget: '64MB', parameters: lean },
      }));
      await restartEverything(stage);
      const data = join(stage.record.root, 'db1', 'data');
      const directory = statSync(data).ino;
      const away = await stage.cli('stage', 'fault', 'kill', 'db1', '--what', 'agent');
      expect(away.code, away.stderr).toBe(0);
      stage.signal('postmaster', 'db1', 'SIGINT');
      await outgrowBudget(stage);
      expect((await stage.cli('stage', 'fault', 'heal')).code).toBe(0);
      await stage.untilWhole(120_000);
      const [here] = await stage.local(
        'db1',
        `select current_setting('cluster_name') as name, pg_is_in_recovery() as standby`,
      );
      expect(here).toEqual({ name: 'db1', standby: true });
      await until('it streams alone again', async () => {
        const [row] = await stage.local('db1', `select current_setting('restore_command') as command`);
        return row?.command === '';
      });
      // A clone puts another directory in its place.
      expect(statSync(data).ino).toBe(directory);
      const archived = readFileSync(join(stage.record.root, 'db1', 'log', 'postgresql.log'), 'utf8');
      expect(archived).toMatch(/restored log file "[0-9A-F]{24}" from archive/);
    });
  },
);
