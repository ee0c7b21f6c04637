import { describe, expect, it } from 'vitest';
import { nodeSpec, specOf } from '../../test/fixtures/spec.ts';
import { lostStore } from './store-majority.ts';

const two = ['db1', 'db2', 'mon1', 'web1'];
const on = (...addresses: readonly string[]) =>
  specOf(two, { store: { kind: 'etcd', endpoints: addresses.map((at) => `https://${at}:2379`), caFile: null } });
const witnessed = on('10.0.1.1', '10.0.1.2', '10.0.2.1');

describe('the store without certain hosts', () => {
  it.each([
    ['one of three members', witnessed, [], null],
    ['and a silent host without a member', witnessed, ['web1'], null],
    ['and a silent witness', witnessed, ['mon1'], "2 of the store's 3 members would be gone, with the silent mon1"],
    ['and the rest', witnessed, ['db2', 'mon1'], 'every member of the store would be gone, with the silent db2, mon1'],
    ['its only member', on('10.0.1.1'), [], 'every member of the store would be gone'],
    ['a node that has not the only member', on('10.0.1.2'), [], null],
    ['one of two', on('10.0.1.1', '10.0.1.2'), ['web1'], "1 of the store's 2 members would be gone"],
    ['members on hosts of their own, or by name', on('10.9.9.9', 'etcd.psf.io'), ['db2', 'mon1'], null],
  ])('%s', (_, spec, silent, expected) => {
    expect(lostStore(spec, 'db1', silent)).toBe(expected);
  });

  it('knows an address of IPv6 by its brackets', () => {
    const nodes = [nodeSpec('db1', { address: 'fd00::1' }), nodeSpec('db2', { address: 'fd00::2' })];
    const store = { kind: 'etcd', endpoints: ['https://[fd00::1]:2379'], caFile: null } as const;
    expect(lostStore(specOf([], { nodes, store }), 'db1')).not.toBeNull();
  });
});
