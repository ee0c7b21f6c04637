import { describe, expect, it } from 'vitest';
import type { StageNode, StageRecord } from './record.ts';
import { refuseIdleWitness, storePlaces, storeWarning } from './store-places.ts';

const network = '127.80.1';
const node = (name: string): StageNode => ({
  name,
  role: name.startsWith('db') ? 'database' : name.startsWith('witness') ? 'witness' : 'app',
  address: `${network}.${name.length}`,
});

function stageOf(names: readonly string[], namespaces = false): StageRecord {
  const nodes = names.map(node);
  return {
    version: 1,
    cluster: 'stage',
    domain: 'stage.internal',
    root: '/root',
    run: '/run',
    network,
    namespaces,
    diskMb: null,
    user: { name: 'postgres', uid: 1, gid: 1 },
    ...storePlaces(nodes, { network, namespaces }),
    nodes,
  };
}

describe("a stage's store", () => {
  it.each([
    [['db1', 'app1'], ['db1']],
    [['db1', 'db2', 'app1'], ['db1']],
    [
      ['db1', 'db2', 'db3', 'db4'],
      ['db1', 'db2', 'db3'],
    ],
    [
      ['db1', 'db2', 'witness1', 'app1'],
      ['db1', 'db2', 'witness1'],
    ],
  ])('of %j is on %j', (names, members) => {
    expect(stageOf(names)).toMatchObject({ storeMembers: members, storeHosts: [] });
  });

  it('has hosts of its own where hosts have networks, save with a witness', () => {
    expect(stageOf(['db1', 'db2'], true)).toMatchObject({
      storeMembers: ['store1'],
      storeHosts: [{ name: 'store1', address: '127.80.1.51' }],
    });
    expect(stageOf(['db1', 'db2', 'db3'], true).storeMembers).toEqual(['store1', 'store2', 'store3']);
    const witnessed = stageOf(['db1', 'db2', 'witness1', 'app1'], true);
    expect(witnessed).toMatchObject({ storeMembers: ['db1', 'db2', 'witness1'], storeHosts: [] });
  });

  it('warns where one host carries all of it, and somebody could take over', () => {
    expect(storeWarning(stageOf(['db1']))).toBeNull();
    expect(storeWarning(stageOf(['db1', 'db2']))).toMatch(/^the store has one member, beside db1: .*--witness/);
    expect(storeWarning(stageOf(['db1', 'db2'], true))).toMatch(/^the store has one member, store1: /);
    expect(storeWarning(stageOf(['db1', 'db2', 'witness1']))).toBeNull();
    expect(storeWarning(stageOf(['db1', 'db2', 'db3']))).toBeNull();
  });

  it('has a witness only where that makes a third member', () => {
    expect(() => refuseIdleWitness({ nodes: 2, witness: true })).not.toThrow();
    expect(() => refuseIdleWitness({ nodes: 3 })).not.toThrow();
    expect(() => refuseIdleWitness({ nodes: 1, witness: true })).toThrow('nobody could take over');
    expect(() => refuseIdleWitness({ nodes: 3, witness: true })).toThrow('leave none to a witness');
  });
});
