import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ApplicationRole, groupRole, loginRoles } from '../core/application-roles.ts';
import { type DatabaseSpec, plainDatabase } from '../core/spec.ts';
import { leftoverRoles, planDrop } from './database-drop.ts';
import { databaseGrants, makersOf } from './database-grants.ts';
import { newDatabase } from './database-items.ts';
import { type DatabasePlan, planDatabaseChanges } from './database-plan.ts';
import { type Catalog, type CatalogDatabase, type CatalogRole, roleComments } from './role-catalog.ts';

const nothing: Catalog = { roles: [], databases: [], applied: new Map() };

function application(
  name: string,
  database: string,
  rights: ApplicationRole['rights'],
  nodes: readonly string[] = ['web1'],
): ApplicationRole {
  const logins = nodes.flatMap((node) =>
    loginRoles(name, node).map((login, index) => ({ name: login, mayLogIn: index === 0 })),
  );
  return { name, database, rights, logins };
}

const role = (name: string, change: Partial<CatalogRole> = {}): CatalogRole => ({
  name,
  login: false,
  privileged: false,
  attributes: [],
  comment: null,
  memberOf: [],
  setRole: null,
  setRoleIn: [],
  ...change,
});

const inOrder = ({ closing, groups, opening }: DatabasePlan): readonly string[] => [
  ...closing,
  ...groups.flat(),
  ...opening,
];

/** What the statements of a plan do to a catalog; says no to what PostgreSQL would refuse. */
function perform(catalog: Catalog, step: string): Catalog {
  return step.split('; ').reduce(performOne, catalog);
}

function changeRole(catalog: Catalog, name: string, how: (role: CatalogRole) => Partial<CatalogRole>): Catalog {
  if (!catalog.roles.some((each) => each.name === name)) throw new Error(`no role ${name}`);
  return {
    ...catalog,
    roles: catalog.roles.map((each) => (each.name === name ? { ...each, ...how(each) } : each)),
  };
}

function changeDatabase(
  catalog: Catalog,
  name: string,
  how: (database: CatalogDatabase) => Partial<CatalogDatabase>,
): Catalog {
  if (!catalog.databases.some((each) => each.name === name)) throw new Error(`no database ${name}`);
  return {
    ...catalog,
    databases: catalog.databases.map((each) => (each.name === name ? { ...each, ...how(each) } : each)),
  };
}

function performOne(catalog: Catalog, statement: string): Catalog {
  if (statement.startsWith('SELECT pg_terminate_backend') || statement.includes('understudy.retired')) return catalog;
  if (/understudy\.applied/.test(statement)) return performRecord(catalog, statement);
  return / ROLE /.test(statement) ? performOnRole(catalog, statement) : performOnDatabase(catalog, statement);
}

const named = (statement: string): readonly string[] =>
  [...statement.matchAll(/"([^"]+)"/g)].map(([, name]) => name ?? '');

function performRecord(catalog: Catalog, statement: string): Catalog {
  const [database = '', item = '', third] = [...statement.matchAll(/'([^']*)'/g)].map(([, value]) => value);
  const applied = new Map(catalog.applied);
  if (statement.startsWith('DELETE')) {
    const isOne = statement.includes('AND item');
    for (const [key, each] of catalog.applied) {
      if (each.database === database && (!isOne || each.item === item)) applied.delete(key);
    }
    return { ...catalog, applied };
  }
  const declared = /', NULL, /.test(statement) ? null : (third ?? null);
  const setting = item.replace('setting ', '');
  const found = catalog.databases.find((each) => each.name === database);
  const actual = statement.includes('SELECT substr') ? (found?.settings[setting] ?? null) : declared;
  applied.set(`${database}\n${item}`, { database, item, declared, actual });
  return { ...catalog, applied };
}

function performOnRole(catalog: Catalog, statement: string): Catalog {
  const [first = '', second = ''] = named(statement);
  const literal = /'([^']*)'$/.exec(statement)?.[1] ?? '';
  if (/^CREATE ROLE \S+ NOLOGIN$/.test(statement)) return { ...catalog, roles: [...catalog.roles, role(first)] };
  if (statement.startsWith('COMMENT ON ROLE')) return changeRole(catalog, first, () => ({ comment: literal }));
  if (/^ALTER ROLE \S+ LOGIN$/.test(statement)) return changeRole(catalog, first, () => ({ login: true }));
  if (/^ALTER ROLE \S+ NOLOGIN$/.test(statement)) return changeRole(catalog, first, () => ({ login: false }));
  const taken = /^ALTER ROLE \S+ ((?:NO[A-Z]+ ?)+)$/.exec(statement)?.[1]?.split(' ');
  if (taken !== undefined)
    return changeRole(catalog, first, ({ login, attributes }) => ({
      login: login && !taken.includes('NOLOGIN'),
      attributes: attributes.filter((each) => !taken.includes(`NO${each}`)),
    }));
  if (/^ALTER ROLE \S+ SET role = /.test(statement)) return changeRole(catalog, first, () => ({ setRole: literal }));
  if (/ RESET role$/.test(statement))
    return changeRole(catalog, first, ({ setRoleIn }) => ({ setRoleIn: setRoleIn.filter((each) => each !== second) }));
  throw new Error(`not understood: ${statement}`);
}

function performOnDatabase(catalog: Catalog, statement: string): Catalog {
  const [first = '', second = ''] = named(statement);
  if (/^GRANT (CONNECT|ALL)/.test(statement)) {
    changeRole(catalog, second, () => ({}));
    return changeDatabase(catalog, first, ({ connect }) => ({
      connect: [...connect.filter((each) => each !== second), second],
    }));
  }
  if (/^REVOKE ALL ON DATABASE/.test(statement)) {
    const from = / FROM PUBLIC$/.test(statement) ? null : second;
    return changeDatabase(catalog, first, ({ connect }) => ({ connect: connect.filter((each) => each !== from) }));
  }
  if (statement.startsWith('CREATE DATABASE')) {
    changeRole(catalog, second, () => ({}));
    return { ...catalog, databases: [...catalog.databases, newDatabase(plainDatabase(first, second))] };
  }
  if (/^ALTER DATABASE \S+ OWNER/.test(statement)) return changeDatabase(catalog, first, () => ({ owner: second }));
  const limit = /CONNECTION LIMIT (-?\d+)$/.exec(statement)?.[1];
  if (limit !== undefined) return changeDatabase(catalog, first, () => ({ connectionLimit: Number(limit) }));
  // As the server does for some parameters, in words of its own.
  const set = /SET "[^"]+" TO '([^']*)'$/.exec(statement)?.[1];
  if (set !== undefined)
    return changeDatabase(catalog, first, ({ settings }) => ({ settings: { ...settings, [second]: `=${set}` } }));
  if (/ RESET "/.test(statement))
    return changeDatabase(catalog, first, ({ settings }) => ({
      settings: Object.fromEntries(Object.entries(settings).filter(([name]) => name !== second)),
    }));
  if (statement.startsWith('GRANT ')) {
    changeRole(catalog, first, () => ({}));
    if (reaches(catalog, first).has(second)) throw new Error(`members of each other: ${statement}`);
    return changeRole(catalog, second, ({ memberOf }) => ({ memberOf: [...memberOf, first] }));
  }
  if (statement.startsWith('REVOKE '))
    return changeRole(catalog, second, ({ memberOf }) => ({ memberOf: memberOf.filter((group) => group !== first) }));
  throw new Error(`not understood: ${statement}`);
}

const name = fc.constantFrom('shop', 'blog', 'wiki', 'report');
const owner = fc.constantFrom('keeper', 'shop', 'blog');
const declared = fc
  .record({
    databases: fc.uniqueArray(
      fc
        .record({
          name,
          owner,
          connectionLimit: fc.constantFrom(null, 10, 20),
          settings: fc.constantFrom({}, { work_mem: '64MB' }, { work_mem: '8MB', jit: 'off' }),
        })
        .map((each): DatabaseSpec => ({ ...plainDatabase(each.name, each.owner), ...each })),
      { minLength: 1, maxLength: 3, selector: (each) => each.name },
    ),
    applications: fc.uniqueArray(
      fc.record({
        name,
        pick: fc.nat(),
        rights: fc.constantFrom('owner' as const, 'rw' as const, 'ro' as const),
        nodes: fc.subarray(['web1', 'web2']),
      }),
      { maxLength: 4, selector: (each) => each.name },
    ),
  })
  .map(({ databases, applications }) => ({
    databases,
    applications: applications.flatMap(({ name, pick, rights, nodes }) => {
      const database = databases[pick % databases.length];
      const owns = databases.some(({ owner }) => owner === name);
      if (database === undefined || (owns && database.owner !== name)) return [];
      return [application(name, database.name, database.owner === name ? 'owner' : rights, nodes)];
    }),
  }));

type Declared = { readonly databases: readonly DatabaseSpec[]; readonly applications: readonly ApplicationRole[] };
const planned = (catalog: Catalog, { databases, applications }: Declared) =>
  planDatabaseChanges(catalog, databases, applications);

function settled(catalog: Catalog, wanted: Declared): Catalog {
  return inOrder(planned(catalog, wanted)).reduce(perform, catalog);
}

/** Through which groups a role has what it has. */
function reaches(catalog: Catalog, from: string): ReadonlySet<string> {
  const found = new Set<string>();
  const follow = (each: string): void => {
    if (found.has(each)) return;
    found.add(each);
    for (const group of catalog.roles.find((role) => role.name === each)?.memberOf ?? []) follow(group);
  };
  follow(from);
  return found;
}

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

function listed({ databases, applications }: Declared) {
  return [databases, applications] as const;
}

describe('databaseGrants', () => {
  const database = plainDatabase('shop', 'keeper');

  it('gives readers nothing but reading, and nobody anything by name', () => {
    const grants = databaseGrants(
      database,
      makersOf(database, [application('r', 'shop', 'ro'), application('w', 'shop', 'rw')]),
    );
    expect(grants).not.toMatch(/(INSERT|UPDATE|DELETE|CREATE|ALL) [^;]*TO "shop:read"/);
    expect(grants).not.toMatch(/GRANT [^;]*TO "(r|w)"/);
    expect(grants).toContain('FOR ROLE "w" GRANT SELECT ON TABLES TO "shop:read"');
    expect(grants).not.toContain('FOR ROLE "r"');
  });

  it('keeps a block closed, whatever a name has in it', () => {
    const grants = databaseGrants(plainDatabase('a', '$understudy$; drop'), ['$understudy$; drop']);
    expect(grants).toMatch(/DO \$understudy0\$ [\s\S]* \$understudy0\$;/);
  });
});
