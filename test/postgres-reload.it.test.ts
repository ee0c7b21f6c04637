/** Synchronous standbys change while a base backup runs: a real server, a real and slow backup. */
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { z } from 'zod';
import { findBinaries } from '../src/postgres/binaries.ts';
import { run } from '../src/process/run.ts';
import { soon, until } from './fixtures/postgres-cluster.ts';
import { testServers } from './fixtures/postgres-servers.ts';

const servers = testServers();
let backup: Promise<unknown> | null = null;
const ending = new AbortController();
afterEach(async () => {
  ending.abort();
  await backup;
});

it('takes a new set of synchronous standbys while a base backup runs', async () => {
  const { cluster, db1, db2 } = await servers.replicate({ nodes: ['db1', 'db2'] });
  const { directory } = await findBinaries(cluster.spec.postgres.major, null);
  const target = join(cluster.directory, 'backup');
  // As db2, by which its stream is authenticated; under another name, since it is no standby.
  const conninfo = { text: "select current_setting('primary_conninfo') as it", row: z.object({ it: z.string() }) };
  const [asDb2] = await db2.sql.query(conninfo, 5_000);
  const source = `${asDb2?.it ?? ''} application_name=backup`;
  const how = ['-d', source, '-D', target, '--max-rate=32k', '-c', 'fast', '-X', 'none', '--no-password'];
  backup = run(join(directory, 'pg_basebackup'), how, {
    cwd: cluster.directory,
    withinMs: 300_000,
    anyExit: true,
    signal: ending.signal,
  }).catch(() => null);
  const running = {
    text: "select count(*)::int as n from pg_stat_replication where state = 'backup'",
    row: z.object({ n: z.number() }),
  };
  await until('the backup runs', async () => (await db1.sql.query(running, 5_000))[0]?.n === 1);
  const names = { synchronous_standby_names: 'ANY 1 ("db2")' };
  const wanted = { ...db1.configuration, parameters: { ...db1.configuration.parameters, ...names } };
  const { mark } = await db1.postgres.setSyncStandbys(wanted, soon);
  expect(mark).toBeGreaterThan(0n);
  expect((await db1.sql.query(running, 5_000))[0]?.n).toBe(1);
  expect((await db1.observe('primary')).syncSet).toEqual({ standbys: [db2.name], k: 1 });
}, 180_000);
