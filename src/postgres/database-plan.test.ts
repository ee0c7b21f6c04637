import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  application,
  changeRole,
  declared,
  inOrder,
  nothing,
  perform,
  planned,
  reaches,
  role,
  settled,
} from '../../test/fixtures/played-catalog.ts';
import { groupRole } from '../core/application-roles.ts';
import { plainDatabase } from '../core/spec.ts';
import { planDatabaseChanges } from './database-plan.ts';
import { roleComments } from './role-catalog.ts';

describe('planDatabaseChanges', () => {
  it('comes to rest, whatever was declared before and wherever an earlier run was broken off', () => {
    fc.assert(
      fc.property(fc.array(declared, { minLength: 1, maxLength: 3 }), fc.nat(), (declarations, breakAt) => {
        let catalog = nothing;
        for (const [index, wanted] of declarations.entries()) {
          const steps = inOrder(planned(catalog, wanted));
          const isLast = index === declarations.length - 1;
          catalog = steps.slice(0, isLast ? breakAt % (steps.length + 1) : undefined).reduce(perform, catalog);
        }
        const last = declarations.at(-1);
        if (last === undefined) return;
        const rested = settled(catalog, last);
        expect(inOrder(planned(rested, last))).toEqual([]);
      }),
    );
  });

  it('lets in exactly the logins that are declared open, each with the rights of its application and no others', () => {
    fc.assert(
      fc.property(declared, declared, (before, wanted) => {
        const catalog = settled(settled(nothing, before), wanted);
        const open = wanted.applications.flatMap(({ logins }) => logins.filter(({ mayLogIn }) => mayLogIn));
        expect(
          catalog.roles
            .filter(({ login }) => login)
            .map((each) => each.name)
            .sort(),
        ).toEqual(open.map((each) => each.name).sort());
        for (const { name, database, rights, logins } of wanted.applications) {
          const owner = wanted.databases.find((each) => each.name === database)?.owner ?? '';
          for (const login of logins) {
            const has = reaches(catalog, login.name);
            expect(has.has(owner)).toBe(rights === 'owner');
            if (rights !== 'owner') {
              expect(has.has(groupRole(database, 'read'))).toBe(true);
              expect(has.has(groupRole(database, 'write'))).toBe(rights === 'rw');
            }
            const elsewhere = wanted.databases.filter((each) => each.name !== database && each.owner !== owner);
            for (const each of elsewhere) expect(has.has(groupRole(each.name, 'read'))).toBe(false);
            const actsAs = rights === 'owner' ? owner : name;
            expect(catalog.roles.find((each) => each.name === login.name)?.setRole).toBe(actsAs);
          }
        }
      }),
    );
  });

  it('closes what is no longer declared before it does anything else, and opens what is new last', () => {
    const shop = { databases: [plainDatabase('shop', 'keeper')], applications: [application('web', 'shop', 'rw')] };
    const next = {
      databases: [...shop.databases, plainDatabase('blog', 'keeper')],
      applications: [application('web', 'shop', 'rw', ['web2'])],
    };
    const { closing, groups, opening } = planned(settled(nothing, shop), next);
    expect(closing).toEqual([
      'ALTER ROLE "web@web1:1" NOLOGIN',
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'web@web1:1'`,
    ]);
    expect(groups.flat().join()).not.toContain('@');
    expect(opening[0]).toBe(
      `CREATE ROLE "web@web2:1" NOLOGIN; COMMENT ON ROLE "web@web2:1" IS 'understudy login'; ` +
        `GRANT "web" TO "web@web2:1"; ALTER ROLE "web@web2:1" SET role = 'web'; ALTER ROLE "web@web2:1" LOGIN`,
    );
  });

  it('closes a login for the moment in which it comes to act as another', () => {
    const databases = [plainDatabase('shop', 'keeper')];
    const before = settled(nothing, { databases, applications: [application('web', 'shop', 'owner')] });
    const { closing, opening } = planned(before, { databases, applications: [application('web', 'shop', 'ro')] });
    expect(closing[0]).toBe('ALTER ROLE "web@web1:1" NOLOGIN');
    expect(closing[1]).toMatch(/^SELECT pg_terminate_backend.* usename = 'web@web1:1'$/);
    expect(opening[0]).toMatch(/^ALTER ROLE "web@web1:1" SET role = 'web'; ALTER ROLE "web@web1:1" LOGIN$/);
  });

  it('makes a group of an application that an earlier version let in itself', () => {
    const former = role('web', {
      login: true,
      comment: roleComments.application,
      memberOf: ['keeper'],
      setRoleIn: ['shop'],
    });
    const catalog = { ...nothing, roles: [role('keeper', { comment: roleComments.owner }), former] };
    const wanted = { databases: [plainDatabase('shop', 'keeper')], applications: [application('web', 'shop', 'rw')] };
    expect(settled(catalog, wanted).roles.find((each) => each.name === 'web')).toEqual(
      role('web', { comment: roleComments.application, memberOf: ['shop:write'] }),
    );
  });

  it('leaves roles alone that it did not make', () => {
    const theirs = [
      role('a-person', { login: true, memberOf: ['keeper'] }),
      role('postgres', { login: true, privileged: true, comment: roleComments.login }),
    ];
    expect(inOrder(planDatabaseChanges({ ...nothing, roles: theirs }, [], []))).toEqual([]);
  });

  it('refuses owners and applications that rights would not limit, and an owner with less than its rights', () => {
    const databases = [plainDatabase('shop', 'keeper')];
    const root = { ...nothing, roles: [role('root', { privileged: true })] };
    const attempts = [
      planDatabaseChanges(root, databases, [application('root', 'shop', 'ro')]),
      planDatabaseChanges(root, [plainDatabase('shop', 'root')], []),
      planDatabaseChanges(nothing, databases, [application('postgres', 'shop', 'rw')]),
      planDatabaseChanges(nothing, databases, [application('keeper', 'shop', 'ro')]),
      planDatabaseChanges(nothing, databases, [application('web', 'elsewhere', 'ro')]),
      planDatabaseChanges(nothing, [...databases, plainDatabase('blog', 'x')], [application('x', 'shop', 'rw')]),
    ];
    for (const { troubles } of attempts) expect(troubles).toMatchObject([{ code: 'CONFIG_INVALID' }]);
    expect(inOrder(attempts[1] ?? planned(nothing, { databases, applications: [] }))).toEqual([]);
  });

  describe('beside a role that somebody made a superuser', () => {
    const both = {
      databases: [plainDatabase('shop', 'keeper'), plainDatabase('blog', 'writer')],
      applications: [
        application('web', 'shop', 'rw'),
        application('migrate', 'shop', 'owner'),
        application('press', 'blog', 'rw', ['web1', 'web2']),
      ],
    };
    const less = {
      ...both,
      applications: [
        application('web', 'shop', 'rw', ['web9']),
        application('migrate', 'shop', 'owner'),
        application('press', 'blog', 'ro', ['web2', 'web3']),
      ],
    };
    const superuser = { privileged: true, attributes: ['SUPERUSER'] };
    const before = settled(nothing, both);

    it('closes whatever is no longer declared, changes what is not of that role, and tells of it', () => {
      const after = changeRole(before, 'keeper', () => superuser);
      const plan = planned(after, less);
      expect(plan.troubles).toMatchObject([
        { code: 'CONFIG_INVALID', message: expect.stringContaining('the role keeper is a superuser') },
      ]);
      expect(plan.closing.filter((each) => each.startsWith('ALTER'))).toEqual([
        'ALTER ROLE "web@web1:1" NOLOGIN',
        'ALTER ROLE "press@web1:1" NOLOGIN',
      ]);
      expect(inOrder(plan).slice(plan.closing.length).join('\n')).not.toMatch(
        /"(keeper|web|migrate|shop:|web@|migrate@)/,
      );
      const rested = settled(after, less);
      expect(rested.roles.find((each) => each.name === 'press')?.memberOf).toEqual(['blog:read']);
      expect(rested.roles.filter(({ login }) => login).map(({ name }) => name)).toEqual([
        'migrate@web1:1',
        'press@web2:1',
        'press@web3:1',
      ]);
      // It goes on where it was left once the role is fit again.
      const fit = changeRole(rested, 'keeper', () => ({ privileged: false, attributes: [] }));
      const whole = settled(fit, less);
      expect(planned(whole, less)).toMatchObject({ closing: [], groups: [], opening: [], troubles: [] });
      expect(whole.roles.find((each) => each.name === 'web@web9:1')?.login).toBe(true);
    });

    it('makes nobody a member of an application that rights would not limit', () => {
      const after = changeRole(before, 'press', () => superuser);
      const rested = settled(after, less);
      expect(rested.roles.find((each) => each.name === 'press')?.memberOf).toEqual(['blog:write']);
      expect(rested.roles.find((each) => each.name === 'writer')?.memberOf).toEqual(['blog:write']);
    });

    it('takes that away when somebody asks for it, and goes on', () => {
      const after = changeRole(before, 'keeper', () => superuser);
      expect(planned(after, less).drift).toContainEqual({
        name: 'attributes of keeper',
        kind: 'given',
        actual: 'SUPERUSER',
        declared: null,
      });
      const plan = planDatabaseChanges(
        after,
        less.databases,
        less.applications,
        (each) => each === 'attributes of keeper',
      );
      expect(plan.troubles).toEqual([]);
      expect(plan.groups[0]?.[0]).toMatch(/^ALTER ROLE "keeper" NOSUPERUSER; /);
    });

    it('keeps a database that is declared from being taken for a retired one', () => {
      const after = changeRole(before, 'keeper', () => superuser);
      expect(inOrder(planned(after, both)).join('\n')).not.toContain('shop');
    });
  });

  it('quotes every name', () => {
    const odd = 'o"dd\'; drop';
    const steps = inOrder(planDatabaseChanges(nothing, [plainDatabase(odd, odd)], [application(odd, odd, 'owner')]));
    expect(steps.join('\n')).toContain(`CREATE DATABASE "o""dd'; drop" OWNER "o""dd'; drop"`);
    expect(steps.at(-2)).toContain(`SET role = 'o"dd''; drop'`);
  });
});
