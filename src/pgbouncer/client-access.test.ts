import { expect, it } from 'vitest';
import { plainAlias, plainConfiguration } from '../../test/fixtures/pooler-configuration.ts';
import type { PoolerConfiguration } from '../ports/pooler.ts';
import { renderClientAccess } from './client-access.ts';

function configuration(listenAddress: string, ...applications: string[]): PoolerConfiguration {
  const aliases = applications.flatMap((application) => [
    plainAlias(application),
    plainAlias(`${application}-ro`, { application, writes: false }),
  ]);
  return plainConfiguration(aliases, { listenAddress });
}

function lines(listenAddress: string, ...applications: string[]): readonly string[] {
  return renderClientAccess(configuration(listenAddress, ...applications), [])
    .trimEnd()
    .split('\n')
    .slice(1);
}

it('lets a user to the aliases of its application alone, in plain text from this host only', () => {
  expect(lines('10.0.1.31', 'shop')).toEqual([
    'local "shop","shop-ro" "shop","shop.2" scram-sha-256',
    'host "shop","shop-ro" "shop","shop.2" 127.0.0.0/8 scram-sha-256',
    'host "shop","shop-ro" "shop","shop.2" ::1/128 scram-sha-256',
    'host "shop","shop-ro" "shop","shop.2" 10.0.1.31/32 scram-sha-256',
    'hostssl "shop","shop-ro" "shop","shop.2" 0.0.0.0/0 scram-sha-256',
    'hostssl "shop","shop-ro" "shop","shop.2" ::/0 scram-sha-256',
  ]);
});

it.each(['127.0.0.1', '127.80.1.101', '0.0.0.0', '*', '::', '::1'])('takes %s for no source of its own', (address) => {
  expect(lines(address, 'shop').filter((line) => line.startsWith('host '))).toHaveLength(2);
});

it('knows no other method, nobody else, and no application without a line', () => {
  const all = lines('127.0.0.1', 'shop', 'blog');
  expect(all.every((line) => line.endsWith(' scram-sha-256'))).toBe(true);
  expect(all.filter((line) => line.includes('"blog"'))).toHaveLength(5);
  expect(lines('127.0.0.1')).toEqual([]);
});

it('refuses what could end a name', () => {
  for (const name of ['a" "b', 'a\nb']) expect(() => lines('127.0.0.1', name)).toThrow(/can't have a user/);
});
