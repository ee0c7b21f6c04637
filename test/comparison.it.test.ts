import pg, { type ClientConfig } from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { compareCatalogs } from '../src/comparison/catalog-overview.ts';
import { type CompareOptions, compareTable, findShape, type Sides } from '../src/comparison/compare-table.ts';
import { askCondition } from '../src/comparison/condition.ts';
import type { Difference } from '../src/comparison/differences.ts';
import { restoringStatement, scriptEnd, scriptHead } from '../src/comparison/restoring-script.ts';
import { openSnapshot, type Snapshot } from '../src/comparison/snapshot.ts';
import type { ShapeWishes, TableShape } from '../src/comparison/table-shape.ts';
import { run } from '../src/process/run.ts';
import { soon, type TestCluster } from './fixtures/postgres-cluster.ts';
import { testServers } from './fixtures/postgres-servers.ts';

/** Two databases stand for the two moments. */
const moments = ['then', 'now'] as const;
type Moment = (typeof moments)[number];

describe('a table then and now', () => {
  const servers = testServers('describe');
  let cluster: TestCluster;
  const opened: Snapshot[] = [];

  beforeAll(async () => {
    ({ cluster } = await servers.replicate({ nodes: ['db1'] }));
    for (const moment of moments) {
      await cluster.node('db1').sql.execute(`CREATE DATABASE "${moment}" TEMPLATE template0`, soon.withinMs);
    }
  }, 90_000);
  beforeEach(async () => {
    for (const snapshot of opened.splice(0)) await snapshot.close();
    await both(`DO $$ DECLARE name text; BEGIN
      FOR name IN SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' LOOP
        EXECUTE format('DROP SCHEMA %I CASCADE', name);
      END LOOP; END $$; CREATE SCHEMA public`);
  });
  afterAll(async () => {
    for (const snapshot of opened.splice(0)) await snapshot.close();
  });

  const configOf = (database: Moment): ClientConfig => {
    const { layout } = cluster.node('db1');
    return { host: layout.run, port: cluster.spec.postgres.port, user: 'postgres', database };
  };
  const execute = async (database: Moment, text: string): Promise<void> => {
    const client = new pg.Client(configOf(database));
    await client.connect();
    await client.query(text).finally(() => client.end());
  };
  const both = async (text: string): Promise<void> => {
    for (const moment of moments) await execute(moment, text);
  };
  const open = async (name: Moment, more: { signal?: AbortSignal; statementTimeoutMs?: number } = {}) => {
    const snapshot = await openSnapshot(configOf(name), { name, statementTimeoutMs: 30_000, ...more });
    opened.push(snapshot);
    return snapshot;
  };
  const sides = async (): Promise<Sides> => ({ past: await open('then'), present: await open('now') });

  const compare = async (
    table: string,
    options: ShapeWishes & Omit<CompareOptions, 'onDifference'> = {},
  ): Promise<{ shape: TableShape; found: Difference[]; comparison: Awaited<ReturnType<typeof compareTable>> }> => {
    const open = await sides();
    const found: Difference[] = [];
    const shape = await findShape(open, table, options);
    const { where, limit } = options;
    const comparison = await compareTable(open, shape, {
      ...(where === undefined ? {} : { where }),
      ...(limit === undefined ? {} : { limit }),
      onDifference: (difference) => void found.push(difference),
    });
    return { shape, found, comparison };
  };
  const scriptOf = (shape: TableShape, found: readonly Difference[]): string => {
    const about = { past: 'then', present: 'now', database: 'shop' };
    const statements = found.map((difference) => restoringStatement(shape, difference, { withNew: true }));
    return [scriptHead(shape, about), ...statements, scriptEnd()].join('');
  };
  const psql = (script: string, database: Moment = 'now') => {
    const { host = '', port = 0 } = configOf(database);
    const args = ['-X', '-h', host, '-p', String(port), '-U', 'postgres', '-d', database];
    return run('psql', args, { ...soon, input: script, anyExit: true });
  };

  it('names what is gone, changed and new, in the order of the key, and brings it back', async () => {
    await both('CREATE TABLE users (id int PRIMARY KEY, name text, email text)');
    await both("INSERT INTO users SELECT n, 'name ' || n, n || '@example.org' FROM generate_series(1, 3000) n");
    await execute(
      'now',
      "DELETE FROM users WHERE id IN (2, 1000); UPDATE users SET name = 'X' WHERE id IN (9, 10); INSERT INTO users VALUES (5000)",
    );

    const { comparison, found, shape } = await compare('users');
    expect(comparison).toEqual({ rowsThen: 3000, rowsNow: 2999, gone: 2, changed: 2, new: 1, isWhole: true });
    expect(found).toEqual([
      { kind: 'gone', past: ['2', 'name 2', '2@example.org'] },
      {
        kind: 'changed',
        past: ['9', 'name 9', '9@example.org'],
        present: ['9', 'X', '9@example.org'],
        columns: ['name'],
      },
      {
        kind: 'changed',
        past: ['10', 'name 10', '10@example.org'],
        present: ['10', 'X', '10@example.org'],
        columns: ['name'],
      },
      { kind: 'gone', past: ['1000', 'name 1000', '1000@example.org'] },
      { kind: 'new', present: ['5000', null, null] },
    ]);

    expect(await psql(scriptOf(shape, found))).toMatchObject({ code: 0 });
    expect((await compare('users')).found).toEqual([{ kind: 'new', present: ['5000', null, null] }]);
  });

  it('says after an UPDATE without WHERE what every row was, and stops at a limit', async () => {
    await both('CREATE TABLE prices (id bigint PRIMARY KEY, cents int NOT NULL)');
    await both('INSERT INTO prices SELECT n, n FROM generate_series(1, 20000) n');
    await execute('now', 'UPDATE prices SET cents = 1');
    const limited = await compare('prices', { limit: 3 });
    expect(limited.comparison).toMatchObject({ changed: 3, isWhole: false });

    const { comparison, found, shape } = await compare('prices');
    expect(comparison).toMatchObject({ gone: 0, changed: 19_999, new: 0, isWhole: true });
    expect(await psql(scriptOf(shape, found))).toMatchObject({ code: 0 });
    expect((await compare('prices')).found).toEqual([]);
  });

  it('brings back values of every kind', async () => {
    await both(`CREATE TYPE mood AS ENUM ('fine', 'it''s odd');
      CREATE TYPE pair AS (a int, b text);
      CREATE DOMAIN short AS varchar(9) CHECK (value <> '');
      CREATE SCHEMA "Odd "" schema";
      CREATE TABLE "Odd "" schema"."T
drop" ("Key" text PRIMARY KEY, "a column" numeric, b bytea, j json, jb jsonb, l text[], ts timestamptz, i interval, m mood,
        p pair, s short, c char(5), r int4range, x xml, pt point, f float8, mo money, d date, bo boolean, u uuid, ba bit(3), jl json[],
        vb varbit, ip inet, reg regclass, li bigint[])`);
    const rows = [
      `('a', 'NaN', '\\x00ff', '{"a": 1,  "a":2}', '{"b": null}', '{x,NULL,"NULL","q\\"\\\\"}', 'infinity', '1 mon -2 days 03:00', 'it''s odd',
        '(1,"x, y")', 'short', 'ab', '[1,5)', '<a>1</a>', '(1,2)', '0.1', '12.50', '4714-11-24 BC', true,
        '00000000-0000-0000-0000-000000000001', '101', array['{"k":1}'::json], '1', '10.0.0.1/8', 'pg_class', '{1,2}')`,
      `(E'q''\\\\ \\n -- :x ü 😀', 1.10, '', '[]', '[]', '{}', '-infinity', '0', 'fine', '(,)', ' ', '', 'empty', '<b/>', '(0,0)', '-0', 0,
        'infinity', false, null, '000', '{}', '', '::1', 'pg_type', '{{1},{2}}')`,
      `('nothing'${', null'.repeat(25)})`,
    ];
    await both(`INSERT INTO "Odd "" schema"."T
drop" VALUES ${rows.join(', ')}`);
    // One is gone, one differs throughout, one has everything where there was nothing.
    await execute(
      'now',
      `DELETE FROM "Odd "" schema"."T
drop" WHERE "Key" = 'a';
       UPDATE "Odd "" schema"."T
drop" SET ("a column", b, j, jb, l, ts, i, m, p, s, c, r, x, pt, f, mo, d, bo, u, ba, jl, vb, ip, reg, li) =
         (2.20, '\\x01', '{"n": [1]}', '1', '{n}', '2026-11-19 14:00+02', '2 days', 'it''s odd', '(2,b)', 'n', 'n', '[2,3)', '<n/>', '(3,4)',
          'NaN', 7, '2026-11-19', null, '00000000-0000-0000-0000-00000000000f', '111', array['"n"'::json], '0', '10.0.0.9', 'pg_index', '{9}')
       WHERE "Key" <> 'a';
       INSERT INTO "Odd "" schema"."T
drop" ("Key") VALUES (E'new\\nDROP TABLE "Odd "" schema"."T')`,
    );

    const name = '"Odd "" schema"."T\ndrop"';
    const { found, shape } = await compare(name);
    expect(found.map(({ kind }) => kind).sort()).toEqual(['changed', 'changed', 'gone', 'new']);
    const script = scriptOf(shape, found);
    const done = await psql(script);
    expect(done).toMatchObject({ code: 0, stderr: '' });
    expect(done.stdout.match(/^(?:UPDATE|INSERT|DELETE|DROP).*/gm)).toEqual(
      expect.arrayContaining(['INSERT 0 1', 'UPDATE 1', 'UPDATE 1']),
    );
    expect((await compare(name)).found).toEqual([
      { kind: 'new', present: ['new\nDROP TABLE "Odd "" schema"."T', ...Array.from({ length: 25 }, () => null)] },
    ]);
  });

  it('quotes as the server does', async () => {
    await both('CREATE TABLE t (id int PRIMARY KEY, v text)');
    const texts = ["it's", 'back\\slash', "both \\'", '', 'line\nend', ':x', '$1', "E'"];
    const side = await open('now');
    for (const text of texts) {
      const [row] = await side.query('SELECT pg_catalog.quote_literal($1)', [text]);
      expect(pg.escapeLiteral(text).trim()).toBe(row?.[0]);
    }
  });

  it('leaves out generated columns, sets identities, and names columns of one side', async () => {
    await both(`CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v int, twice int GENERATED ALWAYS AS (v * 2) STORED,
      dropped text, kind varchar(5))`);
    await both("INSERT INTO t (v, dropped, kind) VALUES (1, 'x', 'a'), (2, 'y', 'b')");
    await execute(
      'now',
      "ALTER TABLE t DROP dropped; ALTER TABLE t ADD added text DEFAULT 'new'; ALTER TABLE t ALTER kind TYPE text; DELETE FROM t WHERE id = 2",
    );
    const { found, shape } = await compare('t');
    expect(shape).toMatchObject({
      onlyThen: ['dropped'],
      onlyNow: ['added'],
      generated: ['twice'],
      retyped: [{ name: 'kind', past: 'character varying(5)', present: 'text' }],
    });
    expect(await psql(scriptOf(shape, found))).toMatchObject({ code: 0 });
    const [row] = await (await open('now')).query(
      'SELECT id::text, v::text, twice::text, kind, added FROM public.t WHERE id = 2',
    );
    expect(row).toEqual(['2', '2', '4', 'b', 'new']);
  });

  it('reads partitions with their table, and not the rows of what inherits', async () => {
    await both(`CREATE TABLE p (at date, n int, v text, PRIMARY KEY (at, n)) PARTITION BY RANGE (at);
      CREATE TABLE p1 PARTITION OF p FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
      CREATE TABLE p2 PARTITION OF p FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
      INSERT INTO p VALUES ('2026-01-02', 1, 'a'), ('2026-02-02', 1, 'b'), ('2026-02-02', 2, 'c');
      CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (PRIMARY KEY (id)) INHERITS (parent);
      INSERT INTO parent VALUES (1); INSERT INTO child VALUES (1), (2)`);
    await execute(
      'now',
      "DELETE FROM p WHERE n = 2; UPDATE p SET v = 'X' WHERE at = '2026-01-02'; DELETE FROM child WHERE id = 2",
    );
    const { found, shape } = await compare('p');
    expect(found.map(({ kind }) => kind)).toEqual(['changed', 'gone']);
    expect(await psql(scriptOf(shape, found))).toMatchObject({ code: 0 });
    expect((await compare('p')).found).toEqual([]);
    expect((await compare('parent')).found).toEqual([]);
    expect((await compare('child')).found).toEqual([{ kind: 'gone', past: ['2'] }]);
  });

  it('takes a key of several columns, of any collation, and numbers that are equal for one', async () => {
    await both('CREATE TABLE k (a text COLLATE "C", b text, n numeric, v int, PRIMARY KEY (b, a, n))');
    await both(`INSERT INTO k SELECT chr(97 + n % 26), repeat(chr(65 + n % 57), n % 5 + 1), n, n FROM generate_series(1, 4000) n;
      INSERT INTO k VALUES ('\u{1f600}', '\uffff', 1, 1), ('\uffff', '\u{1f600}', 1, 1)`);
    await execute(
      'now',
      "UPDATE k SET n = 7.00 WHERE n = 7; UPDATE k SET v = 0 WHERE n % 100 = 0; DELETE FROM k WHERE a = '\u{1f600}'",
    );
    const { comparison, found, shape } = await compare('k');
    expect(comparison).toMatchObject({ gone: 1, changed: 41, new: 0 });
    expect(await psql(scriptOf(shape, found))).toMatchObject({ code: 0 });
    expect((await compare('k')).found).toEqual([]);
  });

  it('refuses a table without a key, and takes one that is declared', async () => {
    await both('CREATE TABLE logs (a int NOT NULL, b int, c int); CREATE UNIQUE INDEX ON logs (a)');
    await both('INSERT INTO logs VALUES (1, 1, 1), (2, 1, 2)');
    await execute('now', 'UPDATE logs SET c = 3 WHERE a = 2');
    await expect(compare('logs')).rejects.toMatchObject({
      code: 'REFUSED',
      hint: expect.stringContaining('never null are: a'),
    });
    expect((await compare('logs', { key: ['a'] })).found).toMatchObject([{ kind: 'changed', columns: ['c'] }]);
    await expect(compare('logs', { key: ['nothing'] })).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
    await expect(compare('logs', { key: ['b'] })).rejects.toMatchObject({
      code: 'REFUSED',
      message: expect.stringContaining('two rows'),
    });
    await execute('now', 'UPDATE logs SET b = NULL');
    await expect(compare('logs', { key: ['b'] })).rejects.toMatchObject({ code: 'REFUSED' });
  });

  it('refuses what has no rows of its own, and what is not there', async () => {
    await both('CREATE VIEW v AS SELECT 1 AS id; CREATE UNLOGGED TABLE u (id int PRIMARY KEY); CREATE SCHEMA s');
    await both('CREATE TABLE twice (id int PRIMARY KEY); CREATE TABLE s.twice (id int PRIMARY KEY)');
    await execute('then', 'CREATE TABLE dropped (id int PRIMARY KEY)');
    await expect(compare('v')).rejects.toMatchObject({ code: 'REFUSED' });
    await expect(compare('u')).rejects.toMatchObject({ code: 'REFUSED' });
    await expect(compare('nothing')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(compare('dropped')).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringContaining('any more'),
    });
    await expect(compare('twice')).rejects.toMatchObject({
      code: 'REQUEST_INVALID',
      hint: expect.stringContaining('s.twice'),
    });
    for (const wrong of ['a b', 'public.*', '1', ''])
      await expect(compare(wrong)).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
    expect((await compare('S.twice')).found).toEqual([]);
  });

  it('takes rows that meet a condition on either side for what they are', async () => {
    await both(
      "CREATE TABLE o (id int PRIMARY KEY, state text); INSERT INTO o VALUES (1, 'open'), (2, 'open'), (3, 'done')",
    );
    await execute(
      'now',
      "UPDATE o SET state = 'done' WHERE id = 2; DELETE FROM o WHERE id = 1; UPDATE o SET state = 'lost' WHERE id = 3",
    );
    const { comparison, found } = await compare('o', { where: "state = 'open' -- still" });
    expect(found).toEqual([
      { kind: 'gone', past: ['1', 'open'] },
      { kind: 'changed', past: ['2', 'open'], present: ['2', 'done'], columns: ['state'] },
    ]);
    expect(comparison).toMatchObject({ rowsThen: 2, rowsNow: 0 });
    await expect(compare('o', { where: 'nothing = 1' })).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
    await expect(compare('o', { where: 'true); COMMIT; DELETE FROM o; SELECT (1' })).rejects.toMatchObject({
      code: 'REQUEST_INVALID',
    });
    expect((await compare('o', { where: 'EXISTS (SELECT FROM o other WHERE other.id = 3)' })).found).toHaveLength(3);
    expect((await compare('o', { columns: ['id'] })).found).toEqual([{ kind: 'gone', past: ['1'] }]);
  });

  it('overwrites nothing that was changed after the comparison', async () => {
    await both('CREATE TABLE t (id int PRIMARY KEY, v int, j json)');
    await both("INSERT INTO t VALUES (1, 1, '{}'), (2, 2, '{}'), (3, 3, '{}')");
    await execute(
      'now',
      "UPDATE t SET v = 10 WHERE id = 1; UPDATE t SET j = '[1]' WHERE id = 2; DELETE FROM t WHERE id = 3",
    );
    const { found, shape } = await compare('t');
    const script = scriptOf(shape, found);

    await execute('now', 'INSERT INTO t VALUES (3, 33)');
    expect(await psql(script)).toMatchObject({ code: 3, stderr: expect.stringContaining('duplicate key') });
    expect((await compare('t')).comparison).toMatchObject({ changed: 3 });

    await execute('now', 'DELETE FROM t WHERE id = 3; UPDATE t SET v = 11 WHERE id = 1');
    const done = await psql(script);
    expect(done.stdout.match(/^UPDATE .*/gm)).toEqual(['UPDATE 0', 'UPDATE 1']);
    expect((await compare('t')).found).toMatchObject([{ kind: 'changed', present: ['1', '11', '{}'] }]);
  });

  it('sees one moment of each side, writes nothing, and ends when it is told to', async () => {
    await both('CREATE TABLE t (id int PRIMARY KEY)');
    const early = await sides();
    await execute('now', 'INSERT INTO t VALUES (1)');
    const shape = await findShape(early, 't');
    expect(await compareTable(early, shape, { onDifference: () => undefined })).toMatchObject({ new: 0, rowsNow: 0 });
    await expect(early.present.query('INSERT INTO public.t VALUES (2)')).rejects.toMatchObject({
      code: 'POSTGRES_FAILED',
    });

    const hasty = await open('now', { statementTimeoutMs: 50 });
    await expect(hasty.query('SELECT pg_catalog.pg_sleep(30)')).rejects.toMatchObject({ code: 'POSTGRES_TIMEOUT' });
    const controller = new AbortController();
    const left = await open('now', { signal: controller.signal });
    const waiting = left.query('SELECT pg_catalog.pg_sleep(30)');
    controller.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
  });

  it('asks a condition, of what may not have been there', async () => {
    await execute('now', "CREATE TABLE o (id int PRIMARY KEY, state text); INSERT INTO o VALUES (1, 'open')");
    const ask = (moment: Moment, condition: string) =>
      askCondition(configOf(moment), condition, { name: moment, statementTimeoutMs: 10_000 });
    expect(await ask('now', 'SELECT count(*) > 0 FROM o -- all')).toBe(true);
    expect(await ask('now', "(SELECT state FROM o WHERE id = 1) = 'done'")).toBe(false);
    expect(await ask('now', '(SELECT state FROM o WHERE id = 2) IS NULL AND NULL')).toBe(false);
    expect(await ask('then', 'SELECT count(*) > 0 FROM o')).toBeNull();
    expect(await ask('now', 'SELECT count(missing) > 0 FROM o')).toBeNull();
    for (const wrong of [
      'SELECT FROM WHERE',
      'SELECT id, state FROM o',
      "'neither'",
      'true); DROP TABLE o; SELECT (true',
    ]) {
      await expect(ask('now', wrong)).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
    }
    const nowhere = askCondition({ ...configOf('now'), database: 'nowhere' }, 'true', {
      name: 'now',
      statementTimeoutMs: 1_000,
    });
    expect(await nowhere).toBeNull();
  });

  it('lists the tables of both sides', async () => {
    await both('CREATE TABLE kept (id int PRIMARY KEY); INSERT INTO kept SELECT generate_series(1, 10)');
    await both(`CREATE TABLE p (id int) PARTITION BY LIST (id); CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);
      CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2); INSERT INTO p VALUES (1), (2), (2)`);
    await execute('then', 'CREATE TABLE gone (id int); CREATE UNLOGGED TABLE u (id int)');
    await execute('now', 'CREATE TABLE fresh (id int); DELETE FROM kept WHERE id > 4; ANALYZE kept');
    const overview = await compareCatalogs(await sides(), 'counted');
    expect(overview).toEqual({
      counting: 'counted',
      tables: [
        { schema: 'public', name: 'fresh', standing: 'new', rowsThen: null, rowsNow: 0 },
        { schema: 'public', name: 'gone', standing: 'gone', rowsThen: 0, rowsNow: null },
        { schema: 'public', name: 'kept', standing: 'kept', rowsThen: 10, rowsNow: 4 },
        { schema: 'public', name: 'p', standing: 'kept', rowsThen: 3, rowsNow: 3 },
        { schema: 'public', name: 'u', standing: 'gone', rowsThen: null, rowsNow: null },
      ],
    });
    const estimated = await compareCatalogs(await sides(), 'estimated');
    expect(estimated.tables.find(({ name }) => name === 'kept')).toMatchObject({ rowsThen: null, rowsNow: 4 });
  });
});
