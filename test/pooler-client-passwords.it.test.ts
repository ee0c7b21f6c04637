/**
 * Another password for an application at its pooler: nobody who is connected or logs in by the one before notices, what it reads
 * is always let in, and two changes end what was known before.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PoolerReport } from '../src/core/pooler-report.ts';
import { openTestAppNode, poolerPort, type TestAppNode, testConfiguration } from './fixtures/app-node.ts';
import { openPoolerWorld, type PoolerWorld } from './fixtures/pooler-world.ts';

let world: PoolerWorld;
let app: TestAppNode;
beforeAll(async () => {
  world = await openPoolerWorld();
  app = openTestAppNode(world, 'web');
  app.say(1, world.servers.db1);
  await app.awaitState('open', (report) => told(report) === 1);
}, 60_000);
afterAll(async () => {
  await app.close();
  await world.close();
});

const told = (report: PoolerReport) => report.clientPasswords?.shop?.told;

interface Known {
  readonly user: string;
  readonly password: string;
}

/** As an application would read it at that moment. */
function read(): Known {
  const { user, password } = JSON.parse(readFileSync(join(app.passfile('shop'), '../connection.json'), 'utf8'));
  return { user, password };
}

async function open(known: Known): Promise<pg.Client> {
  const client = new pg.Client({ host: world.poolerAddress, port: poolerPort, database: 'shop', ...known });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

async function login(known: Known): Promise<string> {
  try {
    const client = await open(known);
    await client.query('select 1');
    await client.end();
    return 'in';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function change(clientPassword: number): Promise<void> {
  const configured = testConfiguration(1);
  const credentials = configured.credentials.map((one) =>
    one.application === 'shop' ? { ...one, clientPassword } : one,
  );
  app.say(1, world.servers.db1, {}, { ...configured, credentials });
  await app.awaitState('open', (report) => told(report) === clientPassword);
}

describe('another password', () => {
  it('is told while clients of the one before go on, and come in', async () => {
    const first = read();
    const connected = await open(first);
    let isOver = false;
    const failures: string[] = [];
    const readers = (async () => {
      // Whatever it reads is let in at that moment.
      while (!isOver) {
        const result = await login(read());
        if (result !== 'in') failures.push(result);
      }
    })();
    await change(2);
    isOver = true;
    await readers;
    expect(failures).toEqual([]);
    const second = read();
    expect(second.user).toBe('shop.2');
    expect(await login(first)).toBe('in');
    expect(await login(second)).toBe('in');
    expect((await connected.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    expect(await login({ ...second, password: first.password })).toMatch(/authentication failed/);
    await app.awaitState('open', (report) => report.clientPasswords?.shop?.former === 1);
    await connected.end();
    await app.awaitState('open', (report) => report.clientPasswords?.shop?.former === 0);
    expect(app.events.filter(({ name }) => name === 'client_password.told')).toMatchObject([
      { facts: { application: 'shop', node: 'web1', generation: 2 } },
    ]);
  }, 60_000);

  it('ends the one before the last, and outlives the agent', async () => {
    const second = read();
    const first = { user: 'shop', password: readFileSync(app.passfile('shop'), 'utf8').match(/:shop:shop:(\S+)/)?.[1] };
    if (first.password === undefined) throw new Error('the passfile lacks the password before');
    const before = { ...first, password: first.password };
    expect(await login(before)).toBe('in');
    await change(3);
    expect(await login(before)).toMatch(/authentication failed/);
    expect(await login(second)).toBe('in');
    const third = read();
    expect(third.user).toBe('shop');
    await app.restart();
    await app.awaitState('open');
    await change(3);
    expect(read()).toEqual(third);
    expect(await login(third)).toBe('in');
    expect(await login(second)).toBe('in');
  }, 60_000);
});
