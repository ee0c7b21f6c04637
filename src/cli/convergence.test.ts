import { expect, it } from 'vitest';
import { specOf } from '../../test/fixtures/spec.ts';
import type { ClusterStatus, NodeStatus } from '../core/status.ts';
import { owedBy } from './convergence.ts';

const spec = specOf(['mon1']);
const revision = 4;
const witness: NodeStatus = {
  node: 'mon1',
  role: 'witness',
  address: '10.0.2.1',
  datacenter: null,
  priority: 100,
  failover: 'allowed',
  reachable: 'yes',
  postgres: null,
  serverVersion: null,
  lagBytes: null,
  lagS: null,
  slot: null,
  pendingRestart: [],
  specRevision: revision,
  unconverged: [],
  agentVersion: '0.1.0',
  trouble: null,
};

function statusOf(nodes: readonly NodeStatus[]): ClusterStatus {
  const nothing = { term: null, timeline: null, primary: null, operation: null, handsOff: null, readOnly: null };
  const known = { cluster: 'psf', verdict: 'HEALTHY', because: [], from: 'db1', storeAgeMs: 0 } as const;
  return { ...nothing, ...known, specRevision: revision, nodes, poolers: [], lastReceipt: null };
}

it.each<[string, readonly NodeStatus[], readonly string[]]>([
  ['owes nothing without a PostgreSQL', [witness], []],
  ['has to have read the spec', [{ ...witness, specRevision: 3 }], ['has revision 3']],
  ['has to answer', [{ ...witness, reachable: 'unknown' }], ['its agent does not answer']],
  ['has to be known', [], ['its agent does not answer']],
])('a witness %s', (_, nodes, expected) => {
  expect(owedBy(statusOf(nodes), spec, revision).map(({ text }) => text)).toEqual(expected);
});
