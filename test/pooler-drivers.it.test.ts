/**
 * What drivers can do through the pooler in transaction mode. From 1.21 on pgbouncer follows prepared statements of the
 * protocol itself; before that they belong to whichever server connection the client had in that transaction.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findPgbouncer, isAtLeast, type PgbouncerVersion, readVersion } from '../src/pgbouncer/version.ts';
import { run } from '../src/process/run.ts';
import { openTestAppNode, poolerPort, type TestAppNode } from './fixtures/app-node.ts';
import { openPoolerWorld, type PoolerWorld } from './fixtures/pooler-world.ts';

let world: PoolerWorld;
let app: TestAppNode;
let version: PgbouncerVersion;

beforeAll(async () => {
  world = await openPoolerWorld();
  const program = findPgbouncer(null);
  if (program === null) throw new Error('no pgbouncer is installed');
  version = await readVersion(program, 5_000);
  app = openTestAppNode(world, 'web');
  app.say(1, world.servers.db1);
  await app.awaitState('open');
}, 60_000);
afterAll(async () => {
  await app.close();
  await world.close();
});

async function psql(script: string): Promise<string> {
  const target = `host=${world.poolerAddress} port=${poolerPort} user=shop dbname=shop passfile=${app.passfile('shop')}`;
  const result = await run('psql', ['-XAtq', '-v', 'ON_ERROR_STOP=1', target], { withinMs: 10_000, input: script });
  return result.stdout.trim();
}

describe('psql', () => {
  it('logs in with the passfile and runs transactions', async () => {
    expect(
      await psql(
        'begin; create temp table x (n int) on commit drop; insert into x values (1); select n from x; commit;',
      ),
    ).toBe('1');
  });

  it('prepares and executes in one transaction', async () => {
    expect(
      await psql('begin;\nprepare twice(int) as select 2 * $1;\nexecute twice(21);\ndeallocate twice;\ncommit;\n'),
    ).toBe('42');
  });

  it('takes its connection string from the files that were made', async () => {
    expect(await psql('select current_user')).toBe('shop');
  });
});

describe('pg', () => {
  it('uses parameters (the unnamed statement) anywhere', async () => {
    const client = await app.connect('shop');
    for (let n = 0; n < 3; n += 1) {
      expect((await client.query('select $1::int + 1 as n', [n])).rows).toEqual([{ n: n + 1 }]);
    }
    await client.end();
  });

  it('uses a named statement within one transaction', async () => {
    const client = await app.connect('shop');
    await client.query('begin');
    const query = { name: 'within', text: 'select $1::int as n' };
    for (const n of [1, 2]) expect((await client.query({ ...query, values: [n] })).rows).toEqual([{ n }]);
    await client.query('commit');
    await client.query('select 1');
    await client.end();
  });

  it('keeps a named statement across server connections from 1.21 on, and gets 26000 before', async () => {
    const [first, second] = [await app.connect('blog'), await app.connect('blog')];
    const query = { name: 'across', text: 'select $1::int as n' };
    await first.query({ ...query, values: [1] });
    // The other client takes the server connection that knows the statement, so that the first gets another one.
    await second.query('begin');
    await second.query('select 1');
    const again = first.query({ ...query, values: [2] }).then(
      (result) => result.rows,
      (error: unknown) => error,
    );
    const isFollowed = isAtLeast(version, 1, 21);
    expect(await again).toMatchObject(isFollowed ? [{ n: 2 }] : { code: '26000' });
    await second.query('commit');
    await first.end();
    await second.end();
  });
});
