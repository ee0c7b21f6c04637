import { expect, it } from 'vitest';
import { chooseProofNode, type ProofCandidate } from './proof-node.ts';

function standby(node: string, change: Partial<ProofCandidate> = {}): ProofCandidate {
  return {
    ...{
      node,
      role: 'database',
      priority: 100,
      failover: 'allowed',
      applyDelayMs: null,
      reachable: 'yes',
      trouble: null,
    },
    postgres: at('0/3000000'),
    ...change,
  };
}
function at(replayedLsn: string): ProofCandidate['postgres'] {
  return { state: 'standby', timeline: 1, receivedLsn: null, replayedLsn, streamingFrom: 'db1', lagS: 0 };
}
const db1 = standby('db1', { postgres: { state: 'primary', timeline: 1, lsn: '0/3000000' } });
const choose = (nodes: readonly ProofCandidate[], named: string | null = null) =>
  chooseProofNode([db1, ...nodes, standby('mon0', { role: 'witness', postgres: null })], { primary: 'db1', named });

it.each<[string, string, readonly ProofCandidate[]]>([
  ['the only standby', 'db2', [standby('db2')]],
  ['a delayed one first', 'db3', [standby('db2', { priority: 0 }), standby('db3', { applyDelayMs: 1 })]],
  ['one that never becomes primary', 'db2', [standby('db2', { failover: 'never' }), standby('db3', { priority: 0 })]],
  ['the one of lower priority', 'db3', [standby('db2'), standby('db3', { priority: 50 })]],
  ['the one that is further behind', 'db2', [standby('db2', { postgres: at('0/2000000') }), standby('db3')]],
  ['of equals the last by name', 'db3', [standby('db2'), standby('db3')]],
  ['none that is silent', 'db2', [standby('db2'), standby('db3', { reachable: 'no' })]],
  ['none that is in trouble', 'db2', [standby('db2'), standby('db3', { trouble: 'disk' })]],
  ['none that is cloned now', 'db2', [standby('db2'), standby('db3', { postgres: { state: 'stopped' } })]],
])('chooses %s', (_, node, nodes) => {
  expect(choose(nodes)).toEqual({ node });
});

it('takes one that was named, and says why not', () => {
  const nodes = [standby('db2', { priority: 0 }), standby('db3', { reachable: 'no' })];
  expect(choose(nodes, 'db2')).toEqual({ node: 'db2' });
  expect(choose(nodes, 'db3')).toEqual({ refused: 'db3 is silent' });
  expect(choose(nodes, 'mon0')).toEqual({ refused: 'mon0 is no database node' });
  expect(choose(nodes, 'db1')).toMatchObject({ refused: expect.stringContaining('db1 is primary') });
});

it('takes the primary only where it is alone, and was named', () => {
  expect(choose([])).toMatchObject({ refused: expect.stringContaining('--on db1') });
  expect(choose([], 'db1')).toEqual({ node: 'db1' });
  expect(choose([standby('db2', { reachable: 'no' })])).toEqual({ refused: 'no standby can do it: db2 is silent' });
});
