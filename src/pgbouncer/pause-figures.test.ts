import { expect, it } from 'vitest';
import { plainAlias, plainConfiguration } from '../../test/fixtures/pooler-configuration.ts';
import { applicationFigures } from './pause-figures.ts';

const configuration = plainConfiguration([
  plainAlias('shop'),
  plainAlias('shop-ro', { application: 'shop', writes: false }),
  plainAlias('blog'),
]);

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
