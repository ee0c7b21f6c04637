import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  application,
  changeDatabase,
  changeRole,
  declared,
  inOrder,
  nothing,
  perform,
  planned,
  role,
  settled,
} from '../../test/fixtures/played-catalog.ts';
import { groupRole } from '../core/application-roles.ts';
import { plainDatabase } from '../core/spec.ts';
import { planDatabaseChanges } from './database-plan.ts';
import type { Catalog } from './role-catalog.ts';

describe('what somebody changed by hand', () => {
  /** One way to change each thing that a declaration says. */
  const byHand: readonly ((catalog: Catalog, database: string) => Catalog)[] = [
    (catalog, database) => changeDatabase(catalog, database, () => ({ connectionLimit: 5 })),
    (catalog, database) => changeDatabase(catalog, database, () => ({ settings: { work_mem: '1GB' } })),
    (catalog, database) => changeDatabase(catalog, database, ({ connect }) => ({ connect: [...connect, null] })),
    (catalog, database) =>
      changeDatabase(catalog, database, ({ connect }) => ({
        connect: connect.filter((each) => each !== groupRole(database, 'read')),
      })),
    (catalog, database) => ({ ...catalog, databases: catalog.databases.filter((each) => each.name !== database) }),
    (catalog, database) => ({
      ...changeDatabase(catalog, database, () => ({ owner: 'a-person' })),
      roles: [...catalog.roles, role('a-person')],
    }),
  ];
  const changed = fc.tuple(declared, fc.constantFrom(...byHand), fc.nat()).map(([wanted, how, pick]) => {
    const database = wanted.databases[pick % wanted.databases.length]?.name ?? '';
    const before = settled(nothing, wanted);
    return { wanted, before, after: how(before, database), database };
  });

  it('is told, and left as it is, until somebody asks for it', () => {
    fc.assert(
      fc.property(changed, ({ wanted, after, database }) => {
        const plan = planned(after, wanted);
        expect(inOrder(plan).filter((step) => !step.includes('pg_terminate'))).toEqual([]);
        expect(plan.drift.length).toBeGreaterThan(0);
        for (const { name } of plan.drift) expect(name).toContain(database);
        const { databases, applications } = wanted;
        const reverted = inOrder(planDatabaseChanges(after, databases, applications, () => true)).reduce(
          perform,
          after,
        );
        expect(planned(reverted, wanted)).toMatchObject({ groups: [], drift: [] });
      }),
    );
  });

  it('gives way to a declaration that says something else', () => {
    const limit = (connectionLimit: number | null) => ({
      databases: [{ ...plainDatabase('shop', 'keeper'), connectionLimit }],
      applications: [],
    });
    const after = changeDatabase(settled(nothing, limit(10)), 'shop', () => ({ connectionLimit: 5 }));
    expect(planned(after, limit(10)).drift).toEqual([
      { name: 'connection limit of shop', kind: 'changed', actual: '5', declared: '10' },
    ]);
    for (const [wanted, is] of [
      [20, 20],
      [5, 5],
      [null, -1],
    ] as const) {
      const rested = settled(after, limit(wanted));
      expect(rested.databases[0]?.connectionLimit).toBe(is);
      expect(planned(rested, limit(wanted))).toMatchObject({ groups: [], drift: [] });
    }
  });

  it('is left to whoever made it where nothing was ever declared', () => {
    const plain = { databases: [plainDatabase('shop', 'keeper')], applications: [] };
    const after = changeDatabase(settled(nothing, plain), 'shop', () => ({ settings: { jit: 'off' } }));
    expect(planned(after, plain)).toMatchObject({
      groups: [],
      drift: [{ name: 'jit of shop', kind: 'changed', actual: 'off', declared: null }],
    });
  });

  it('can be an attribute that no declaration gives', () => {
    const wanted = { databases: [plainDatabase('shop', 'keeper')], applications: [application('web', 'shop', 'rw')] };
    const given = changeRole(settled(nothing, wanted), 'web', () => ({ attributes: ['CREATEDB', 'BYPASSRLS'] }));
    const after = changeRole(given, 'keeper', () => ({ login: true }));
    expect(planned(after, wanted)).toMatchObject({
      groups: [],
      drift: [
        { name: 'attributes of keeper', kind: 'given', actual: 'LOGIN', declared: null },
        { name: 'attributes of web', kind: 'given', actual: 'CREATEDB, BYPASSRLS', declared: null },
      ],
    });
    const reverted = planDatabaseChanges(after, wanted.databases, wanted.applications, () => true);
    const rested = inOrder(reverted).reduce(perform, after);
    expect(planned(rested, wanted)).toMatchObject({ groups: [], drift: [] });
    // Whoever brought a role of his own knows what it is to do.
    const foreign = { ...nothing, roles: [role('keeper', { login: true, attributes: ['CREATEDB'] })] };
    expect(planned(settled(foreign, wanted), wanted).drift).toEqual([]);
  });

  it('can be a right of an application', () => {
    const wanted = {
      databases: [plainDatabase('shop', 'keeper'), plainDatabase('blog', 'keeper')],
      applications: [application('web', 'shop', 'ro')],
    };
    const after = changeRole(settled(nothing, wanted), 'web', ({ memberOf }) => ({
      memberOf: [...memberOf, 'blog:write'],
    }));
    const { drift } = planned(after, wanted);
    expect(drift).toEqual([
      { name: 'memberships of web', kind: 'changed', actual: 'blog:write, shop:read', declared: 'shop:read' },
    ]);
  });
});
