import { describe, expect, it } from 'vitest';
import {
  application,
  inOrder,
  listed,
  nothing,
  perform,
  planned,
  settled,
} from '../../test/fixtures/played-catalog.ts';
import { plainDatabase } from '../core/spec.ts';
import { leftoverRoles, planDrop } from './database-drop.ts';
import type { Catalog } from './role-catalog.ts';

describe('a database that is no longer declared', () => {
  const shop = { databases: [plainDatabase('shop', 'keeper')], applications: [application('web', 'shop', 'rw')] };
  const none = { databases: [], applications: [] };
  const retired = settled(settled(nothing, shop), none);

  it('is closed to everyone at once, and its data stays', () => {
    expect(retired.databases).toMatchObject([{ name: 'shop', connect: [] }]);
    expect(retired.roles.filter(({ login }) => login)).toEqual([]);
    expect(planned(retired, none)).toMatchObject({ closing: [], groups: [], drift: [] });
    const { closing } = planned(settled(nothing, shop), none);
    expect(closing.join('\n')).toMatch(/NOLOGIN[\s\S]*REVOKE ALL ON DATABASE "shop"/);
    // Sessions are ended by a statement of its own, when everybody can see that the door is shut.
    for (const each of closing.filter((step) => step.includes('pg_terminate_backend'))) {
      expect(each).toMatch(/^SELECT [^;]*$/);
    }
    expect(closing.at(-1)).toContain(`a.datname = 'shop'`);
  });

  it('opens again when it is declared again', () => {
    const again = settled(retired, shop);
    expect(again.databases[0]?.connect.toSorted()).toEqual(['keeper', 'shop:read']);
    expect(planned(again, shop)).toMatchObject({ closing: [], groups: [], opening: [], drift: [] });
  });

  it('is dropped with the roles that were for it alone', () => {
    const plan = planDrop(retired, 'shop', [], []);
    expect(plan.database).toBe('DROP DATABASE IF EXISTS "shop" WITH (FORCE)');
    expect(plan.roles.map((each) => each.name)).toEqual([
      'web@web1:1',
      'web@web1:2',
      'web',
      'keeper',
      'shop:write',
      'shop:read',
    ]);
    const two = { databases: [...shop.databases, plainDatabase('blog', 'keeper')], applications: [] };
    const other = { databases: [plainDatabase('blog', 'keeper')], applications: [application('web', 'blog', 'ro')] };
    const kept = planDrop(settled(settled(settled(nothing, shop), two), other), 'shop', ...listed(other));
    expect(kept.roles.map((each) => each.name)).toEqual(['shop:write', 'shop:read']);
  });

  it('is known by the roles that were made for it, where it could not be made, until they are dropped', () => {
    const keepers = { databases: [plainDatabase('blog', 'writer')], applications: [] };
    const wanted = { ...shop, databases: [...shop.databases, ...keepers.databases] };
    const attempt = (catalog: Catalog) => {
      const { closing, groups, opening } = planned(catalog, wanted);
      const done = groups.map((group) =>
        group.slice(0, group[0]?.startsWith('CREATE DATABASE "shop"') ? 0 : undefined),
      );
      // Nothing of a database that is not there can be changed, either.
      const steps = [...closing, ...done.flat(), ...opening].filter((step) => !step.includes('DATABASE "shop"'));
      return steps.reduce(perform, catalog);
    };
    const failed = attempt(attempt(nothing));
    expect(failed.databases.map(({ name }) => name)).toEqual(['blog']);
    expect(settled(failed, wanted).databases.map(({ name }) => name)).toEqual(['blog', 'shop']);
    const roles = ['web@web1:1', 'web@web1:2', 'web', 'keeper', 'shop:write', 'shop:read'];
    const rested = settled(failed, keepers);
    expect(inOrder(planned(rested, keepers))).toEqual([]);
    expect(leftoverRoles(rested, 'shop', ...listed(keepers))).toEqual(roles);
    const plan = planDrop(rested, 'shop', ...listed(keepers));
    expect(plan.roles.map((each) => each.name)).toEqual(roles);
    // Declared again, it is made.
    expect(inOrder(planned(settled(rested, keepers), wanted)).join('\n')).toContain('CREATE DATABASE "shop"');
    const without = { ...rested, roles: rested.roles.filter(({ name }) => !roles.includes(name)) };
    expect([...settled(without, keepers).applied.values()].filter(({ database }) => database === 'shop')).toEqual([]);
  });

  it('is not dropped while it is declared, nor one that never was', () => {
    expect(() => planDrop(settled(nothing, shop), 'shop', ...listed(shop))).toThrow(
      expect.objectContaining({ code: 'REFUSED' }),
    );
    expect(() => planDrop(retired, 'postgres', [], [])).toThrow(expect.objectContaining({ code: 'NOT_FOUND' }));
  });
});
