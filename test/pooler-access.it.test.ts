/** Whom the real pgbouncer lets in: each user at its own aliases, by its password, in plain text only from this host. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTestAppNode, poolerPort, type TestAppNode } from './fixtures/app-node.ts';
import { openPoolerWorld, type PoolerWorld } from './fixtures/pooler-world.ts';

/** By the access file, in the words of 1.18 and of 1.24; by the console itself. */
const refused = /^(login rejected|no authentication method is found|not allowed)$/;

let world: PoolerWorld;
let app: TestAppNode;

beforeAll(async () => {
  world = await openPoolerWorld();
  app = openTestAppNode(world, 'web');
  app.say(1, world.servers.db1);
  await app.awaitState('open');
}, 60_000);
afterAll(async () => {
  await app.close();
  await world.close();
});

function passwordOf(application: string): string {
  return app.pooler().passwords.of(application, null).told.password;
}

/** `web1` is the name in the pooler's certificate. */
const ways: readonly (readonly [string, () => pg.ClientConfig])[] = [
  ['plain TCP', () => ({ host: world.poolerAddress })],
  ['the socket', () => ({ host: join(app.state, '..', 'run') })],
  [
    'TLS, fully verified',
    () => ({
      host: world.poolerAddress,
      ssl: { ca: readFileSync(world.tls.ca, 'utf8'), servername: 'web1.test.internal' },
    }),
  ],
];

async function login(config: pg.ClientConfig): Promise<string> {
  const client = new pg.Client({ port: poolerPort, connectionTimeoutMillis: 5_000, ...config });
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query('select current_database() as place');
    return `in ${rows[0]?.place}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    await client.end().catch(() => undefined);
  }
}

describe.each(ways)('by %s', (_, way) => {
  const as = async (user: string, database: string, password: string) =>
    await login({ ...way(), user, database, password });

  it('an application reaches all of its aliases', async () => {
    expect(await as('shop', 'shop', passwordOf('shop'))).toBe('in shop');
    expect(await as('shop', 'shop-ro', passwordOf('shop'))).toBe('in shop');
    expect(await as('shop', 'shop.db2', passwordOf('shop'))).toBe('in shop');
    expect(await as('blog', 'blog', passwordOf('blog'))).toBe('in blog');
  });

  it.each(['blog', 'blog-ro', 'blog.db1'])('but not %s, the alias of another', async (alias) => {
    expect(await as('shop', alias, passwordOf('shop'))).toMatch(refused);
  });

  it('nobody comes in with a wrong password, without one, or as somebody unknown', async () => {
    expect(await as('shop', 'shop', 'guess')).toMatch(/authentication failed/);
    expect(await as('shop', 'shop', passwordOf('blog'))).toMatch(/authentication failed/);
    expect(await as('mallory', 'shop', passwordOf('shop'))).toMatch(refused);
    expect(await as('shop', 'nothing', passwordOf('shop'))).toMatch(refused);
  });

  it('the console is closed to applications', async () => {
    expect(await as('shop', 'pgbouncer', passwordOf('shop'))).toMatch(refused);
  });
});

it('the console is open over the socket to the user that the pooler runs as, and over TCP to nobody', async () => {
  const console = new pg.Client({
    host: join(app.state, '..', 'run'),
    port: poolerPort,
    user: 'pgbouncer',
    database: 'pgbouncer',
  });
  await console.connect();
  const { rows } = await console.query('show databases');
  expect(rows.map((row) => row.name)).toEqual(expect.arrayContaining(['blog', 'blog-ro', 'shop', 'shop-ro']));
  await console.end();
  expect(await login({ host: world.poolerAddress, user: 'pgbouncer', database: 'pgbouncer', password: '' })).toMatch(
    refused,
  );
});

it('a client by TLS refuses a pooler of another authority, and one of another name', async () => {
  const common = { host: world.poolerAddress, user: 'shop', database: 'shop', password: passwordOf('shop') };
  const ca = readFileSync(world.tls.ca, 'utf8');
  expect(await login({ ...common, ssl: { ca, servername: 'web2.test.internal' } })).toMatch(/does not match|altnames/);
  expect(await login({ ...common, ssl: { servername: 'web1.test.internal' } })).toMatch(/certificate|self-signed/);
});
