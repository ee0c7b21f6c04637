import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { PoolerConfiguration } from '../ports/pooler.ts';
import { ApplicationCredentials } from './application-credentials.ts';

const endpoint = { host: '127.0.0.1', port: 6432, socketDirectory: '/run/a:b' };
const common = {
  application: 'shop',
  database: 'shop',
  role: 'shop',
  addresses: ['10.0.0.1'],
  port: 5432,
  poolSize: 5,
};
const configuration: PoolerConfiguration = {
  listenAddress: '127.0.0.1',
  port: 6432,
  mode: 'transaction',
  maxClients: 100,
  queryWaitTimeoutS: 60,
  aliases: [
    { ...common, name: 'shop', writes: true, standsIn: false },
    { ...common, name: 'shop-ro', writes: false, standsIn: false },
  ],
};

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'understudy-credentials-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

it('makes a password once, and finds it again', () => {
  const first = new ApplicationCredentials(directory).prepare(configuration, endpoint);
  const second = new ApplicationCredentials(directory).prepare(configuration, endpoint);
  expect(first).toMatch(/^"shop" "SCRAM-SHA-256\$4096:[^"]+"\n$/);
  expect(second).toBe(first);
});

it('writes a passfile for both aliases, over TCP and the socket, for this user alone', () => {
  new ApplicationCredentials(directory).prepare(configuration, endpoint);
  const file = join(directory, 'apps', 'shop', 'pgpass');
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
  const password = lines[0]?.split(':').at(-1);
  expect(lines).toEqual([
    `127.0.0.1:6432:shop:shop:${password}`,
    `127.0.0.1:6432:shop-ro:shop:${password}`,
    `/run/a\\:b:6432:shop:shop:${password}`,
    `/run/a\\:b:6432:shop-ro:shop:${password}`,
  ]);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const connection = readFileSync(join(directory, 'apps', 'shop', 'connection.json'), 'utf8');
  expect(JSON.parse(connection)).toEqual({ ...endpoint, user: 'shop', passfile: file, write: 'shop', read: 'shop-ro' });
  expect(connection).not.toContain(password);
});
