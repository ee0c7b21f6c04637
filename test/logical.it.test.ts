import { closeSync, mkdtempSync, openSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { amcheck } from '../src/logical/amcheck.ts';
import { requireDatabase, standingOf, tablePatterns } from '../src/logical/databases.ts';
import { dumpToFile, dumpToNowhere } from '../src/logical/dump.ts';
import { type LoadWishes, loadArchive, readArchive } from '../src/logical/load.ts';
import { ask, type Server } from '../src/logical/server.ts';
import { findBinaries } from '../src/postgres/binaries.ts';
import { soon, type TestCluster, testClock, until } from './fixtures/postgres-cluster.ts';
import { testServers } from './fixtures/postgres-servers.ts';

const odd = `odd 'name' dbname=x \\ "q"`;
const never = new AbortController().signal;

describe('dumps and loads', () => {
  const servers = testServers('describe');
  let cluster: TestCluster;
  let binaries: string;
  let directory: string;

  const server = (node: string): Server => ({
    binaries,
    host: cluster.node(node).layout.run,
    port: cluster.spec.postgres.port,
    user: 'postgres',
    runAs: null,
  });
  const execute = (database: string, text: string) => ask(server('db1'), database, text);
  const make = (name: string, text: string) =>
    ask(server('db1'), 'postgres', 'CREATE DATABASE :"name" OWNER keeper', { values: { name } }).then(() =>
      execute(name, text),
    );
  const dump = (name: string, database: string, more: { tables?: readonly string[]; signal?: AbortSignal } = {}) => {
    const { signal = never, tables = [] } = more;
    return dumpToFile(server('db1'), { database, tables, schemaOnly: false }, join(directory, name), { signal });
  };
  const load = async (name: string, wishes: Partial<LoadWishes> & { database: string }): Promise<void> => {
    const descriptor = openSync(join(directory, name), 'r');
    const all = { make: null, clean: false, owner: null, ...wishes };
    await loadArchive(server('db1'), descriptor, all, never).finally(() => closeSync(descriptor));
  };
  const databases = async () => await execute('postgres', 'SELECT datname FROM pg_database ORDER BY 1');

  beforeAll(async () => {
    ({ cluster } = await servers.replicate({ nodes: ['db1', 'db2'] }));
    ({ directory: binaries } = await findBinaries(cluster.spec.postgres.major, null));
    directory = mkdtempSync(join(tmpdir(), 'us-dump-'));
    await execute('postgres', 'CREATE ROLE keeper; CREATE ROLE passing');
    await make(
      odd,
      `SET search_path TO public; CREATE SCHEMA billing AUTHORIZATION passing;
       CREATE TABLE users (id int PRIMARY KEY, name text); INSERT INTO users SELECT n, 'name ' || n FROM generate_series(1, 500) n;
       CREATE TABLE billing."Odd "".* table" (id int); ALTER TABLE billing."Odd "".* table" OWNER TO passing;
       INSERT INTO billing."Odd "".* table" VALUES (1)`,
    );
  }, 90_000);
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  it('brings a database into another one, from a standby', async () => {
    const standby = server('db2');
    await until('the standby has it', async () => {
      const found = await ask(standby, 'postgres', "SELECT pg_last_wal_replay_lsn() >= :'lsn'::pg_lsn", {
        values: { lsn: (await execute('postgres', 'SELECT pg_current_wal_flush_lsn()'))[0] ?? '' },
      });
      return found[0] === 't';
    });
    expect(await standingOf(standby)).toMatchObject({ inRecovery: true, isStreaming: true });
    expect(await standingOf(server('db1'))).toMatchObject({ inRecovery: false, isStreaming: false });
    const file = join(directory, 'whole.dump');
    const bytes = await dumpToFile(standby, { database: odd, tables: [], schemaOnly: false }, file, { signal: never });
    expect(statSync(file)).toMatchObject({ size: bytes });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readdirSync(directory)).toEqual(['whole.dump']);

    const descriptor = openSync(file, 'r');
    expect(await readArchive(standby, descriptor, file)).toMatchObject({ database: odd, tables: 2, tablesWithRows: 2 });
    closeSync(descriptor);
    await load('whole.dump', { database: 'copy', make: { like: await requireDatabase(server('db1'), odd) } });
    expect(await execute('copy', 'SELECT count(*) FROM public.users')).toEqual(['500']);
    expect(await execute('copy', "SELECT reltuples FROM pg_class WHERE relname = 'users'")).toEqual(['500']);
    expect(await requireDatabase(server('db1'), 'copy')).toMatchObject({ owner: 'keeper' });
  });

  it('overwrites nothing, and leaves nothing half', async () => {
    writeFileSync(join(directory, 'mine'), 'mine');
    await expect(dump('mine', odd)).rejects.toMatchObject({ code: 'REFUSED' });
    await expect(dump('nowhere/x.dump', odd)).rejects.toMatchObject({ code: 'PROCESS_FAILED' });
    await expect(dump('lost.dump', 'missing')).rejects.toMatchObject({ code: 'PROCESS_FAILED' });
    const controller = new AbortController();
    // It waits for the table, and is cancelled meanwhile.
    const lock = ask(server('db1'), odd, 'BEGIN; LOCK TABLE public.users; SELECT pg_sleep(3); COMMIT');
    await until('the table is locked', async () => {
      const rows = await execute(
        odd,
        "SELECT 1 FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted AND relation = 'public.users'::regclass",
      );
      return rows.length > 0;
    });
    const waiting = dump('cancelled.dump', odd, { signal: controller.signal });
    await until('the dump has begun', async () => readdirSync(directory).some((name) => name.endsWith('.part')));
    controller.abort(new Error('enough'));
    await expect(waiting).rejects.toMatchObject({ code: 'PROCESS_FAILED' });
    await lock;
    expect(readdirSync(directory).filter((name) => /lost|cancelled|nowhere|part/.test(name))).toEqual([]);
  });

  it('takes exactly the tables that are named', async () => {
    expect(await tablePatterns(server('db1'), odd, 'USERS')).toEqual(['"public"."users"']);
    const patterns = await tablePatterns(server('db1'), odd, 'billing."Odd "".* table"');
    await dump('table.dump', odd, { tables: patterns });
    const descriptor = openSync(join(directory, 'table.dump'), 'r');
    expect(await readArchive(server('db1'), descriptor, 'table.dump')).toMatchObject({ tables: 1, tablesWithRows: 1 });
    closeSync(descriptor);
    for (const wrong of ['nothing', 'public.*', "x'; DROP TABLE users", '']) {
      await expect(tablePatterns(server('db1'), odd, wrong)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    }
    await expect(requireDatabase(server('db1'), 'nothing')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('loads all of it or nothing', async () => {
    await make(
      'small',
      'CREATE TABLE public.t (id int PRIMARY KEY); INSERT INTO public.t VALUES (1); ALTER TABLE public.t OWNER TO passing; CREATE TABLE public.a (id int)',
    );
    await dump('small.dump', 'small');
    await execute('postgres', `ALTER ROLE passing RENAME TO gone`);
    const before = await databases();
    await expect(load('small.dump', { database: 'made', make: { like: null } })).rejects.toMatchObject({
      code: 'PROCESS_FAILED',
    });
    expect(await databases()).toEqual(before);

    await execute('small', 'INSERT INTO public.t VALUES (2); DROP TABLE public.a');
    await expect(load('small.dump', { database: 'small', clean: true })).rejects.toMatchObject({
      code: 'PROCESS_FAILED',
    });
    expect(await execute('small', 'SELECT id FROM public.t ORDER BY 1')).toEqual(['1', '2']);
    const like = await requireDatabase(server('db1'), 'small');
    await load('small.dump', { database: 'made', make: { like }, owner: 'keeper' });
    expect(await execute('made', "SELECT relowner::regrole FROM pg_class WHERE relname IN ('t', 'a')")).toEqual([
      'keeper',
      'keeper',
    ]);
    await execute('postgres', 'ALTER ROLE gone RENAME TO passing');
    await load('small.dump', { database: 'small', clean: true });
    expect(await execute('small', 'SELECT id FROM public.t ORDER BY 1')).toEqual(['1']);
    expect(await execute('small', "SELECT relowner::regrole FROM pg_class WHERE relname = 't'")).toEqual(['passing']);
  });

  it('says of a file that is no archive what it is not', async () => {
    writeFileSync(join(directory, 'text.sql'), 'select 1;');
    const descriptor = openSync(join(directory, 'text.sql'), 'r');
    await expect(readArchive(server('db1'), descriptor, 'text.sql')).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
    closeSync(descriptor);
  });

  it('finds a broken index, and names what it did not look at', async () => {
    await make(
      'broken',
      `SET search_path TO public; CREATE EXTENSION amcheck;
       CREATE FUNCTION compare(int, int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 - $2';
       CREATE OPERATOR CLASS turning FOR TYPE int USING btree AS OPERATOR 1 < (int, int), OPERATOR 2 <= (int, int),
         OPERATOR 3 = (int, int), OPERATOR 4 >= (int, int), OPERATOR 5 > (int, int), FUNCTION 1 compare(int, int);
       CREATE TABLE t (id int); INSERT INTO t SELECT generate_series(1, 100); CREATE INDEX turned ON t (id turning)`,
    );
    const options = { signal: never, withinMs: () => 60_000, jobs: 2 };
    const sound = await amcheck(server('db1'), options);
    expect(sound).toMatchObject({ checked: ['broken'], corruptions: [] });
    expect(sound.unchecked.map(({ database }) => database)).toEqual(expect.arrayContaining(['postgres', odd]));

    await execute(
      'broken',
      "CREATE OR REPLACE FUNCTION public.compare(int, int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $2 - $1'",
    );
    const found = await amcheck(server('db1'), options);
    expect(found.corruptions).toMatchObject([{ database: 'broken', relation: expect.stringContaining('turned') }]);
    const installed = await amcheck(server('db1'), { ...options, install: true });
    expect(installed.unchecked).toEqual([]);
    expect(installed.checked).toEqual(expect.arrayContaining(['postgres', odd, 'broken']));
    // A bound that is exceeded is told apart.
    const late = await amcheck(server('db1'), { ...options, install: true, withinMs: () => 1 });
    expect(late).toMatchObject({ checked: [], corruptions: [] });
    expect(late.unchecked.map(({ isLate }) => isLate)).not.toContain(false);
    expect(sound.unchecked.map(({ isLate }) => isLate)).not.toContain(true);
  });

  it('reads everything to nowhere, and says what can not be read', async () => {
    const options = { nowMs: () => testClock.boottimeMs(), signal: never, withinMs: () => 60_000 };
    const whole = await dumpToNowhere(server('db2'), options);
    expect(whole.map(({ because }) => because).filter((because) => because !== null)).toEqual([]);
    expect(whole.map(({ database }) => database)).toContain(odd);

    await make('holed', 'CREATE TABLE public.t AS SELECT generate_series(1, 1000); CHECKPOINT');
    const [path = ''] = await execute('holed', "SELECT pg_relation_filepath('public.t')");
    rmSync(join(cluster.node('db1').layout.data, path));
    const holed = await dumpToNowhere(server('db1'), options);
    expect(holed.filter(({ because }) => because !== null).map(({ database }) => database)).toEqual(['holed']);
    expect(holed.map(({ isLate }) => isLate)).not.toContain(true);
    const late = await dumpToNowhere(server('db1'), { ...options, withinMs: () => 1 });
    expect(late.map(({ isLate }) => isLate)).not.toContain(false);
    await ask(server('db1'), 'postgres', 'DROP DATABASE holed', soon);
  });
});
