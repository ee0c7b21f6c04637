import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nodeSpec, spec2 } from '../../test/fixtures/spec.ts';
import { planChanges, renderPlan } from './plan.ts';
import { plainDatabase, type Spec } from './spec.ts';

const base = spec2({
  postgres: { ...spec2().postgres, parameters: { max_connections: '100' } },
  nodes: [nodeSpec('db1'), nodeSpec('db2'), nodeSpec('web1')],
});
const [, db2] = base.nodes;
const [shop] = base.applications;
if (db2 === undefined || shop === undefined) throw new Error('the fixture has two database nodes and an application');
/** The same nodes, db2 changed. */
const changing = (change: Partial<typeof db2>): Partial<Spec> => ({
  nodes: base.nodes.map((each) => (each === db2 ? { ...db2, ...change } : each)),
});

const facts = { primary: 'db1', databases: [] };
const plan = (next: Partial<Spec>, primary: string | null = 'db1') =>
  planChanges(base, { ...base, ...next }, { primary, databases: [] });
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
      databases: [...base.databases, plainDatabase('wiki', 'wiki')],
    });
    expect(renderPlan(next)).toEqual([
      'Interruption: none now. Destroyed: nothing.',
      'db1,db2  ~ max_connections 100 -> 200  restart, deferred',
      'db1,db2  ~ work_mem default -> 16MB  reload',
      'db1      + database wiki',
    ]);
  });

  it('of a new cluster adds everything', () => {
    const first = planChanges(null, base, { primary: null, databases: [] });
    expect(first.refusals).toEqual([]);
    expect(first.changes.map(({ kind, what }) => `${kind} ${what}`)).toEqual([
      'add database node',
      'add database node',
      'add app node',
      'add database shop',
      'add application shop',
    ]);
  });

  it('says whose sessions end because they act as somebody else', () => {
    const acting = (owner: string, rights: 'owner' | 'rw' | 'ro', name = 'migrate') => ({
      ...base,
      databases: [plainDatabase('shop', owner)],
      applications: [{ ...shop, name, database: 'shop', rights }],
    });
    const interruption = (before: Spec, after: Spec) => planChanges(before, after, facts).interruption;
    expect(interruption(acting('keeper', 'owner'), acting('boss', 'owner'))).toEqual(['sessions of migrate']);
    expect(interruption(acting('keeper', 'owner'), acting('keeper', 'rw'))).toEqual(['sessions of migrate']);
    expect(interruption(acting('keeper', 'rw'), acting('boss', 'rw'))).toEqual([]);
    // It goes on as itself, with less rights.
    expect(interruption(acting('migrate', 'rw'), acting('boss', 'rw'))).toEqual([]);
    expect(interruption(acting('migrate', 'rw'), acting('boss', 'owner'))).toEqual(['sessions of migrate']);
  });

  it('keeps a database that is no longer declared', () => {
    const next = plan({ databases: [] });
    expect(next).toMatchObject({ destroyed: [], refusals: [] });
    expect(renderPlan(next)).toContain('db1  - database shop (nobody may connect; its data stays until apply --drop)');
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
    expect(plan(without('db2'))).toMatchObject({ refusals: [], destroyed: ['replication slot understudy_db2'] });
  });
});

describe('a plan refuses', () => {
  it('to remove the primary, or any database node while the primary is not known', () => {
    expect(plan(without('db1')).refusals.map(({ what }) => what)).toEqual(['removing db1']);
    expect(plan(without('db2'), null).refusals.map(({ what }) => what)).toEqual(['removing db2']);
    expect(plan(without('web1'), null).refusals).toEqual([]);
  });

  it.each<[string, Partial<Spec>]>([
    ['cluster psf -> other', { cluster: 'other' }],
    ['domain psf.io -> other.io', { domain: 'other.io' }],
    ['postgres version 17 -> 18', { postgres: { ...base.postgres, major: 18 } }],
    ['postgres port 5432 -> 5433', { postgres: { ...base.postgres, port: 5433 } }],
    ['address of db2', changing({ address: '10.0.1.9' })],
    ['role of db2', changing({ role: 'witness' })],
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
    ...(['datacenter', 'purpose', 'contact'] as const).map((field) => changing({ [field]: 'x' })),
    changing({ priority: 5 }),
    changing({ failover: 'never' }),
    changing({ applyDelayMs: 1_000 }),
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
    { durability: { ...base.durability, commit: 'sync' } },
    { durability: { ...base.durability, k: 2 } },
    { durability: { ...base.durability, withoutStandby: 'degrade' } },
    { durability: { ...base.durability, acceptLossAfterMs: 600_000 } },
    { failover: { lossLimitBytes: null } },
    { databases: [plainDatabase('shop', 'x')] },
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
