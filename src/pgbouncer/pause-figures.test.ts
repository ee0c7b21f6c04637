import { expect, it } from 'vitest';
import type { PoolerConfiguration } from '../ports/pooler.ts';
import { applicationFigures } from './pause-figures.ts';

const alias = (name: string, application: string, writes: boolean) => ({
  name,
  application,
  writes,
  standsIn: false,
  database: 'd',
  role: 'r',
  generation: 1,
  clientPassword: 1,
  addresses: ['10.0.0.1'],
  port: 5432,
  poolSize: 5,
});

const configuration: PoolerConfiguration = {
  listenAddress: '127.0.0.1',
  port: 6432,
  mode: 'transaction',
  maxClients: 100,
  queryWaitTimeoutS: 60,
  tls: { clients: 'modern', servers: 'modern' },
  aliases: [alias('shop', 'shop', true), alias('shop-ro', 'shop', false), alias('blog', 'blog', true)],
};

const pool = (name: string, waiting: number, longestWaitMs: number) => ({
  alias: name,
  waiting,
  longestWaitMs,
  clients: waiting,
  servers: 0,
  loggingIn: 0,
});

it('counts the writing aliases of each application, and clients that waited and are gone', () => {
  const pools = [pool('shop', 3, 118.6), pool('shop-ro', 9, 999)];
  const atDrain = { all: new Set(['a', 'b', 'c']), waiting: new Map([['shop', ['a', 'b']]]) };
  const afterwards = { all: new Set(['a', 'd']), waiting: new Map() };
  expect(applicationFigures(configuration, pools, atDrain, afterwards)).toEqual([
    { name: 'shop', delayed: 3, worstMs: 119, failed: 1 },
    { name: 'blog', delayed: 0, worstMs: 0, failed: 0 },
  ]);
});

it('claims no failure without both samples', () => {
  const atDrain = { all: new Set(['a']), waiting: new Map([['shop', ['a']]]) };
  expect(applicationFigures(configuration, [], atDrain, null)[0]?.failed).toBe(0);
  expect(applicationFigures(configuration, [], null, atDrain)[0]?.failed).toBe(0);
});
