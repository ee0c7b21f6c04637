import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planChanges, renderPlan } from './plan.ts';
import type { ApplicationSpec, NodeSpec, Spec } from './spec.ts';

function node(name: string, role: NodeSpec['role'], address: string, more: Partial<NodeSpec> = {}): NodeSpec {
  const rest = { datacenter: null, priority: 100, failover: 'allowed', purpose: null, contact: null } as const;
  return { name, role, address, ...rest, ...more };
}

const shop: ApplicationSpec = { name: 'shop', database: 'shop', rights: 'rw', nodes: ['web0'], poolSize: null };
const pg1 = node('pg1', 'database', '10.0.0.2');

const base: Spec = {
  version: 1,
  cluster: 'psf',
  domain: 'psf.io',
  contact: null,
  datacenters: {},
  nodes: [node('pg0', 'database', '10.0.0.1'), pg1, node('web0', 'app', '10.0.0.9')],
  postgres: {
    major: 17,
    port: 5432,
    dataDirectory: null,
    binaryDirectory: null,
    parameters: { max_connections: '100' },
    walBudgetMb: 8192,
  },
  store: { kind: 'etcd', endpoints: ['https://10.0.0.1:2379'], caFile: null },
  poolers: { port: 6432, mode: 'transaction', poolSize: 20, maxClients: 200, queryWaitTimeoutS: 120 },
  databases: [{ name: 'shop', owner: 'shop' }],
  applications: [shop],
  switchover: {
    drainTimeoutMs: 10_000,
    stopTimeoutMs: 10_000,
    promoteTimeoutMs: 10_000,
    longTransactionMs: 5_000,
    maxLagBytes: 16 * 1024 ** 2,
  },
  lease: { ttlMs: 6_000 },
};

const facts = { primary: 'pg0' };
const plan = (next: Partial<Spec>, primary: string | null = 'pg0') =>
  planChanges(base, { ...base, ...next }, { primary });
const without = (name: string): Partial<Spec> => ({ nodes: base.nodes.filter((each) => each.name !== name) });

describe('a plan', () => {
  it('of the same declaration is empty', () => {
    const same = plan({});
    expect(same).toEqual({ changes: [], destroyed: [], interruption: [], refusals: [] });
    expect(renderPlan(same)).toEqual(['No changes.']);
  });

  it('defers what needs a restart, reloads the rest, and adds databases on the primary', () => {
    const parameters = { max_connections: '200', work_mem: '16MB' };
    const next = plan({
      postgres: { ...base.postgres, parameters },
      databases: [...base.databases, { name: 'wiki', owner: 'wiki' }],
    });
    expect(renderPlan(next)).toEqual([
      'Interruption: none now. Destroyed: nothing.',
      'pg0,pg1  ~ max_connections 100 -> 200  restart, deferred',
      'pg0,pg1  ~ work_mem default -> 16MB  reload',
      'pg0      + database wiki',
    ]);
  });

  it('of a new cluster adds everything', () => {
    const first = planChanges(null, base, { primary: null });
    expect(first.refusals).toEqual([]);
    expect(first.changes.map(({ kind, what }) => `${kind} ${what}`)).toEqual([
      'add database node',
      'add database node',
      'add app node',
      'add database shop',
      'add application shop',
    ]);
  });

  it('keeps a database that is no longer declared', () => {
    const next = plan({ databases: [] });
    expect(next).toMatchObject({ destroyed: [], refusals: [] });
    expect(renderPlan(next)).toContain('pg0  - database shop (its data stay until dropped by hand)');
  });

  it('says that running agents stay with the store of their node files', () => {
    const next = plan({ store: { ...base.store, endpoints: ['https://10.0.0.2:2379'], caFile: '/ca.crt' } });
    expect(next.refusals).toEqual([]);
    expect(renderPlan(next).slice(1)).toEqual([
      expect.stringMatching(/store endpoints .* no effect on running agents: they use the store of their node files$/),
      expect.stringMatching(/store CA default -> \/ca.crt {2}no effect on running agents/),
    ]);
  });

  it('says what an application loses', () => {
    expect(plan({ applications: [] })).toMatchObject({
      destroyed: ['credentials of shop'],
      interruption: ['access of shop'],
    });
    expect(plan({ applications: [{ ...shop, rights: 'ro' }] }).interruption).toEqual(['writes of shop']);
  });

  it('removes a standby, and says what goes with it', () => {
    expect(plan(without('pg1'))).toMatchObject({ refusals: [], destroyed: ['replication slot understudy_pg1'] });
  });
});

describe('a plan refuses', () => {
  it('to remove the primary, or any database node while the primary is not known', () => {
    expect(plan(without('pg0')).refusals.map(({ what }) => what)).toEqual(['removing pg0']);
    expect(plan(without('pg1'), null).refusals.map(({ what }) => what)).toEqual(['removing pg1']);
    expect(plan(without('web0'), null).refusals).toEqual([]);
  });

  it.each<[string, Partial<Spec>]>([
    ['cluster psf -> other', { cluster: 'other' }],
    ['domain psf.io -> other.io', { domain: 'other.io' }],
    ['postgres version 17 -> 18', { postgres: { ...base.postgres, major: 18 } }],
    ['postgres port 5432 -> 5433', { postgres: { ...base.postgres, port: 5433 } }],
    ['address of pg1', { nodes: base.nodes.map((each) => (each === pg1 ? { ...pg1, address: '10.0.0.3' } : each)) }],
    ['role of pg1', { nodes: base.nodes.map((each) => (each === pg1 ? { ...pg1, role: 'witness' } : each)) }],
  ])('%s', (what, next) => {
    const refused = plan(next);
    expect(refused.refusals.map((refusal) => refusal.what)).toEqual([what]);
    expect(refused.changes.map(({ effect }) => effect)).toEqual(['refused']);
    expect(renderPlan(refused)[0]).toMatch(/^Refused: /);
  });
});

it('mentions every difference', () => {
  const leaves: readonly Partial<Spec>[] = [
    { contact: 'x' },
    { datacenters: { iad1: { provider: null, region: null } } },
    ...(['datacenter', 'purpose', 'contact'] as const).map((field) => ({
      nodes: base.nodes.map((each) => (each === pg1 ? { ...pg1, [field]: 'x' } : each)),
    })),
    { nodes: base.nodes.map((each) => (each === pg1 ? { ...pg1, priority: 5 } : each)) },
    { nodes: base.nodes.map((each) => (each === pg1 ? { ...pg1, failover: 'never' } : each)) },
    { postgres: { ...base.postgres, dataDirectory: '/x' } },
    { postgres: { ...base.postgres, binaryDirectory: '/x' } },
    { postgres: { ...base.postgres, parameters: {} } },
    { postgres: { ...base.postgres, walBudgetMb: 1 } },
    { store: { ...base.store, endpoints: [] } },
    { store: { ...base.store, caFile: '/x' } },
    { poolers: { ...base.poolers, port: 1 } },
    { poolers: { ...base.poolers, mode: 'session' } },
    { poolers: { ...base.poolers, poolSize: 1 } },
    { poolers: { ...base.poolers, maxClients: 1 } },
    { poolers: { ...base.poolers, queryWaitTimeoutS: 1 } },
    ...(['drainTimeoutMs', 'stopTimeoutMs', 'promoteTimeoutMs', 'longTransactionMs', 'maxLagBytes'] as const).map(
      (field) => ({ switchover: { ...base.switchover, [field]: 1 } }),
    ),
    { lease: { ttlMs: 1 } },
    { databases: [{ name: 'shop', owner: 'x' }] },
    { applications: [{ ...shop, poolSize: 1 }] },
    { applications: [{ ...shop, database: 'x' }] },
    { applications: [{ ...shop, nodes: [] }] },
  ];
  for (const leaf of leaves) expect(plan(leaf).changes, JSON.stringify(leaf)).toHaveLength(1);
  fc.assert(
    fc.property(fc.subarray([...leaves]), (some) => {
      const next: Spec = Object.assign({}, base, ...some);
      expect(planChanges(base, next, facts).changes).toHaveLength(new Set(some.flatMap(Object.keys)).size);
    }),
  );
});
