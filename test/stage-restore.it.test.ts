/**
 * A recorded history of commits, through a switchover and the loss of a host, against what is restored: every row that was
 * committed before the moment is there, and none of later. Then everything is lost but the bucket and the passphrase. Played with
 * `TEST_LONG=1`.
 */
import { randomInt } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { run } from '../src/process/run.ts';
import { startObjectStore } from './fixtures/object-store.ts';
import { until } from './fixtures/postgres-cluster.ts';
import { type TestStage, withStage } from './fixtures/stage.ts';
import { declareBackups, restartEverything } from './fixtures/stage-backups.ts';

interface Commit {
  readonly id: number;
  readonly sentMs: number;
  /** `null`: nobody knows whether it was committed. */
  readonly acknowledgedMs: number | null;
}

const momentsTried = 5;
const done = z.object({
  ...{ start: z.string(), into: z.string(), recovered: z.object({ timeline: z.number() }) },
  // The archive was looked through, over both changes of the timeline, and nothing is missing.
  plan: z.object({ possible: z.string().regex(/^\S+Z to \S+Z$/) }),
});

/** Each with the times between which the server committed it: all are of this machine's clock. */
function startHistory(stage: TestStage) {
  const commits: Commit[] = [];
  let isStopped = false;
  const writing = (async () => {
    let client: pg.Client | null = null;
    for (let id = 1; !isStopped; id += 1) {
      const sentMs = Date.now();
      try {
        if (client === null) {
          client = new pg.Client(stage.application());
          client.on('error', () => undefined);
          await client.connect();
        }
        await client.query('insert into history (id) values ($1)', [id]);
        commits.push({ id, sentMs, acknowledgedMs: Date.now() });
      } catch {
        commits.push({ id, sentMs, acknowledgedMs: null });
        await client?.end().catch(() => undefined);
        client = null;
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await client?.end();
  })();
  return {
    commits,
    stop: async () => {
      isStopped = true;
      await writing;
    },
  };
}

async function untilArchived(stage: TestStage): Promise<void> {
  const { primary } = await stage.status();
  const [switched] = await stage.local(primary ?? '', 'select pg_walfile_name(pg_switch_wal()) as name');
  await until(
    'everything is archived',
    async () => {
      const [row] = await stage.local(primary ?? '', 'select last_archived_wal as name from pg_stat_archiver');
      return String(row?.name ?? '') >= String(switched?.name);
    },
    90_000,
  );
}

/** By the command that the restore printed. */
async function rowsIn(stage: TestStage, { start, into }: z.infer<typeof done>): Promise<ReadonlySet<number>> {
  const user = process.getuid?.() === 0 ? { user: stage.record.user } : {};
  const bounds = { withinMs: 60_000, cwd: '/', ...user };
  await run('/bin/sh', ['-c', start], bounds);
  try {
    const sql = ['-X', '-A', '-t', '-h', into, '-p', '5432', '-U', 'postgres', '-d', 'shop'];
    const port = readFileSync(join(into, 'postmaster.pid'), 'utf8').split('\n')[3] ?? '';
    sql[sql.indexOf('5432')] = port;
    const { stdout } = await run('psql', [...sql, '-c', 'select id from history'], bounds);
    return new Set(stdout.trim().split('\n').filter(Boolean).map(Number));
  } finally {
    await run('/bin/sh', ['-c', start.replace(/pg_ctl .*/, `pg_ctl -D ${into} -m immediate stop`)], bounds);
  }
}

test.runIf(process.env.TEST_LONG === '1')(
  'what is restored is what was committed by then, and a lost cluster comes back from its bucket',
  {
    timeout: 500_000,
  },
  async () => {
    const store = await startObjectStore();
    try {
      await withStage({ nodes: 2, appNodes: 1, witness: true }, async (stage) => {
        // What a host that is lost had acknowledged is to be in the history of whoever follows.
        const files = await declareBackups(stage, store, () => ({ durability: 'sync' }));
        await restartEverything(stage);
        const owner = new pg.Client(stage.application());
        await owner.connect();
        await owner.query('create table history (id bigint primary key)');
        await owner.end();
        const made = await stage.cli('backup', 'now', '--json');
        expect(made.code, made.stderr).toBe(0);
        await new Promise((resolve) => setTimeout(resolve, 1_100)); // ends of backups are of whole seconds
        const beganMs = Date.now();
        const history = startHistory(stage);
        const grows = (count: number) =>
          until(
            'it is written',
            async () => history.commits.filter((one) => one.acknowledgedMs !== null).length > count,
          );
        await grows(30);
        expect((await stage.cli('switchover', '--to', 'db1')).code).toBe(0);
        await grows(80);
        const differential = await stage.cli('backup', 'now', '--differential', '--json');
        expect(differential.code, differential.stderr).toBe(0);
        await grows(120);
        expect((await stage.cli('stage', 'fault', 'kill', 'db1', '--what', 'all')).code).toBe(0);
        await stage.until('another one is primary', ({ primary }) => primary === 'db2');
        await grows(160);
        expect((await stage.cli('stage', 'fault', 'heal')).code).toBe(0);
        await stage.untilWhole();
        await grows(200);
        const endedMs = Date.now();
        await grows(230);
        await history.stop();
        await untilArchived(stage);
        const { commits } = history;
        const acknowledged = commits.filter((one) => one.acknowledgedMs !== null);

        for (let index = 0; index < momentsTried; index += 1) {
          const atMs = randomInt(beganMs + 200, endedMs);
          const at = new Date(atMs).toISOString();
          const into = join(stage.record.root, 'restored', String(index));
          const began = performance.now();
          const restored = await stage.cli('restore', '--to', at, '--into', into, '--yes', '--json');
          expect(restored.code, restored.stderr).toBe(0);
          const tookMs = Math.round(performance.now() - began);
          const rows = await rowsIn(stage, done.parse(JSON.parse(restored.stdout)));
          const lacking = acknowledged.filter((one) => (one.acknowledgedMs ?? 0) < atMs && !rows.has(one.id));
          const later = commits.filter((one) => one.sentMs > atMs && rows.has(one.id));
          expect({ at, lacking, later }).toEqual({ at, lacking: [], later: [] });
          expect(rows.size).toBeGreaterThan(0);
          console.log(`restored to ${at}: ${tookMs} ms, ${rows.size} of ${commits.length} rows`);
        }
        const refused = await stage.cli(
          'restore',
          '--to',
          '2020-01-01T00:00:00Z',
          '--into',
          join(stage.record.root, 'no'),
        );
        expect([refused.code, refused.stderr]).toEqual([3, expect.stringContaining('the earliest possible is')]);
        const into = join(stage.record.root, 'no');
        const beyond = await stage.cli('restore', '--to', 'FF/0', '--into', into, '--yes');
        expect([beyond.code, beyond.stderr, existsSync(into)]).toEqual([
          3,
          expect.stringMatching(/FF\/0 is not archived.*possible is \S+Z to \S+Z/s),
          false,
        ]);
        const misspelt = await stage.cli('restore', '--to', 'latest', '--into', 'db11', '--yes');
        expect([misspelt.code, misspelt.stderr]).toEqual([2, expect.stringContaining('--into ./db11')]);
        const live = await stage.cli(
          'restore',
          '--to',
          'latest',
          '--into',
          join(stage.record.root, 'db1', 'data'),
          '--dry-run',
        );
        expect(live.code).toBe(3);

        expect((await stage.cli('stage', 'down', '--purge')).code).toBe(0);
        const began = performance.now();
        const lost = [
          '--from-backups',
          files.cluster,
          '--passphrase-file',
          files.passphrase,
          '--credentials',
          files.credentials,
        ];
        const up = await stage.cli('stage', 'up', '--nodes', '2', '--detach', ...lost);
        expect(up.code, `${up.stdout}\n${up.stderr}`).toBe(0);
        console.log(`brought up from the bucket: ${Math.round(performance.now() - began)} ms\n${up.stdout}`);
        const back = await stage.local('db1', 'select 1 as one');
        expect(back).toHaveLength(1);
        const client = new pg.Client(stage.application());
        await client.connect();
        const { rows } = await client.query<{ id: string }>('select id from history');
        await client.query('insert into history values (1000000)');
        await client.end();
        const there = new Set(rows.map(({ id }) => Number(id)));
        expect(acknowledged.filter(({ id }) => !there.has(id))).toEqual([]);
        await untilArchived(stage);
        const again = await stage.cli('backup', 'now');
        expect(again.code, again.stderr).toBe(0);
      });
    } finally {
      await store.close();
    }
  },
);
