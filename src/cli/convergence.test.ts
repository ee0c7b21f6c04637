import { describe, expect, it } from 'vitest';
import { exampleReport } from '../../test/fixtures/fake-backend.ts';
import { specOf } from '../../test/fixtures/spec.ts';
import type { PoolerReport } from '../core/pooler-report.ts';
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
  expect(owedBy(statusOf(nodes), { spec, revision, before: null }).map(({ text }) => text)).toEqual(expected);
});

describe('a cluster', () => {
  const whole = specOf(['db1', 'db2', 'web1']);
  const server = (node: string, state: 'primary' | 'standby'): NodeStatus => ({
    ...witness,
    node,
    role: 'database',
    postgres:
      state === 'primary'
        ? { state, timeline: 4, lsn: '0/3000100' }
        : { state, timeline: 4, receivedLsn: null, replayedLsn: '0/3000100', streamingFrom: 'db1', lagS: 0 },
  });
  const pooler = (credentials: PoolerReport['credentials']) => ({
    ...{ node: 'web1', reachable: 'yes' as const },
    report: { ...exampleReport, specRevision: revision, credentials },
  });
  const owes = (states: readonly ('primary' | 'standby')[], credentials: PoolerReport['credentials'], before = whole) =>
    owedBy(
      {
        ...statusOf(states.map((state, index) => server(`db${index + 1}`, state))),
        poolers: [pooler(credentials)],
      },
      { spec: whole, revision, before },
    ).map(({ node, text }) => `${node} ${text}`);

  it('is as declared when its nodes are, and one of them is primary', () => {
    expect(owes(['primary', 'standby'], {})).toEqual([]);
    // Each of them was a standby when it was asked, and owed nothing.
    expect(owes(['standby', 'standby'], {})).toEqual(['db1 no node is primary']);
  });

  it('has a password wherever an application is new', () => {
    const none = { ...whole, applications: [] };
    expect(owes(['primary', 'standby'], {}, none)).toEqual(['web1 its pooler has no password for shop']);
    expect(owes(['primary', 'standby'], { shop: 0 }, none)).toEqual(['web1 its pooler has no password for shop']);
    expect(owes(['primary', 'standby'], { shop: 1 }, none)).toEqual([]);
    // An older version doesn't say.
    expect(owes(['primary', 'standby'], undefined, none)).toEqual([]);
  });
});
