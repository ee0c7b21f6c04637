/** What somebody gave roles of ours by hand that no declaration gives, and roles that he made in our way of naming. */
import { describe, expect, it } from 'vitest';
import { role } from '../../test/fixtures/played-catalog.ts';
import { loginRoles } from '../core/application-roles.ts';
import { plainDatabase } from '../core/spec.ts';
import { planDatabaseChanges } from './database-plan.ts';
import { type Catalog, type CatalogRole, roleComments } from './role-catalog.ts';

const databases = [plainDatabase('shop', 'keeper')];
const [first = '', second = ''] = loginRoles('web', 'web1');
const applications = [
  {
    name: 'web',
    database: 'shop',
    rights: 'ro' as const,
    logins: [first, second].map((name) => ({ name, mayLogIn: name === first })),
  },
];
const ours: readonly CatalogRole[] = [
  role('keeper', { comment: roleComments.owner, memberOf: ['shop:write'] }),
  role('shop:read', { comment: roleComments.group }),
  role('shop:write', { comment: roleComments.group, memberOf: ['shop:read'] }),
  role('web', { comment: roleComments.application, memberOf: ['shop:read'] }),
  role(first, { comment: roleComments.login, memberOf: ['web'], setRole: 'web', login: true }),
  role(second, { comment: roleComments.login, memberOf: ['web'], setRole: 'web' }),
];
const others: readonly CatalogRole[] = [
  role('postgres', { login: true, privileged: true, attributes: ['SUPERUSER', 'CREATEDB', 'CREATEROLE'] }),
  role('understudy_replication', { login: true, privileged: true, attributes: ['REPLICATION'] }),
  role('understudy_rewind', { login: true }),
  role('boss', { memberOf: ['postgres'] }),
  role('deploy', { attributes: ['CREATEDB'] }),
  role('auditor', { login: true, memberOf: ['shop:read', 'pg_monitor'] }),
];
const given = (to: string, ...groups: readonly string[]): Catalog => ({
  databases: [],
  applied: new Map(),
  roles: [...ours, ...others].map((each) =>
    each.name === to ? { ...each, memberOf: [...each.memberOf, ...groups] } : each,
  ),
});
const driftIn = (catalog: Catalog) =>
  planDatabaseChanges(catalog, databases, applications).drift.filter(({ kind }) => kind === 'given');

describe('a membership in a role of somebody else', () => {
  it('is told for every role of ours, with what it lets it do, a superuser first of all', () => {
    expect(driftIn(given('nobody'))).toEqual([]);
    for (const { name } of ours)
      expect(driftIn(given(name, 'postgres'))).toEqual([
        {
          name: `other memberships of ${name}`,
          kind: 'given',
          actual: 'postgres (a superuser: may do anything)',
          declared: null,
        },
      ]);
  });

  it.each([
    [['boss'], 'boss (a superuser as postgres: may do anything)'],
    [['deploy', 'auditor'], 'auditor (reads what others do as pg_monitor), deploy (CREATEDB)'],
    [['pg_execute_server_program'], 'pg_execute_server_program (runs programs on the server, and so may do anything)'],
    [['somebody', 'somebody'], 'somebody'],
  ])('is told in words of its own: %j', (groups, actual) => {
    expect(driftIn(given('web', ...groups))).toMatchObject([{ name: 'other memberships of web', actual }]);
  });

  it('is told where a group has what a declaration gives to another', () => {
    expect(driftIn(given('shop:read', 'keeper'))).toMatchObject([
      { name: 'other memberships of shop:read', actual: 'keeper' },
    ]);
    expect(driftIn(given(first, 'keeper'))).toMatchObject([{ name: `other memberships of ${first}` }]);
  });

  it('is left alone until somebody asks to have it undone', () => {
    const catalog = given('web', 'postgres');
    const statements = (reverts: boolean) =>
      planDatabaseChanges(catalog, databases, applications, () => reverts)
        .groups.flat()
        .join('\n');
    expect(statements(false)).not.toContain('"postgres"');
    expect(statements(true)).toContain('REVOKE "postgres" FROM "web"; ');
  });

  it('of a circle ends', () => {
    const roles = [...ours, role('a', { memberOf: ['b'] }), role('b', { memberOf: ['a'] })];
    const catalog = {
      ...given('nobody'),
      roles: roles.map((each) => ({ ...each, memberOf: [...each.memberOf, 'a'] })),
    };
    expect(driftIn(catalog).length).toBe(ours.length);
  });
});

describe('a role that somebody made to log in with', () => {
  const made = (change: Partial<CatalogRole> & { readonly name: string }): Catalog => ({
    ...given('nobody'),
    roles: [...ours, ...others, role(change.name, { login: true, ...change })],
  });

  it('is told where its name is of our kind', () => {
    const long = `${'a'.repeat(44)}~0123456789abcdef:9`;
    for (const name of ['web@web1:9', 'other@web2:1', long, 'shop:read', 'blog:write', 'understudy_replication2'])
      expect(driftIn({ ...made({ name }), roles: [...others, role(name, { login: true })] })).toMatchObject([
        { name: `login ${name}`, actual: 'LOGIN' },
      ]);
    expect(
      driftIn(made({ name: 'web@web1:9', privileged: true, attributes: ['REPLICATION'], memberOf: ['postgres'] })),
    ).toEqual([
      {
        name: 'login web@web1:9',
        kind: 'given',
        actual: 'LOGIN, REPLICATION, member of postgres (a superuser: may do anything)',
        declared: null,
      },
    ]);
  });

  it('is nobody’s business under any other name, or where it may not log in', () => {
    for (const name of ['bob', 'bob@example.org', 'web', 'backup:1', 'a:b@c:1'])
      expect(driftIn({ ...made({ name }), roles: [...others, role(name, { login: true })] })).toEqual([]);
    expect(driftIn(made({ name: 'web@web1:9', login: false }))).toEqual([]);
  });

  it('is shut out when somebody asks for it, and its sessions end after that', () => {
    const plan = planDatabaseChanges(made({ name: 'web@web1:9' }), databases, applications, () => true);
    const [shut = '', ended] = plan.groups.flat();
    expect(shut).toMatch(/^ALTER ROLE "web@web1:9" NOLOGIN; /);
    expect(ended).toMatch(/^SELECT pg_terminate_backend.* usename = 'web@web1:9'$/);
  });

  it('becomes what is declared where it bears the name of that', () => {
    const roles = [...others, ...ours.map((each) => (each.name === first ? { ...each, comment: null } : each))];
    const { opening, drift } = planDatabaseChanges({ ...given('nobody'), roles }, databases, applications);
    expect(opening).toContain(`COMMENT ON ROLE "${first}" IS 'understudy login'`);
    expect(drift.filter(({ kind }) => kind === 'given')).toEqual([]);
    const superuser = roles.map((each) => (each.name === first ? { ...each, privileged: true } : each));
    const beside = planDatabaseChanges({ ...given('nobody'), roles: superuser }, databases, applications);
    expect(beside.opening.join()).not.toContain('COMMENT');
    expect(beside.drift).toContainEqual(expect.objectContaining({ name: `login ${first}` }));
  });
});

it('tells of an application whose group somebody let log in', () => {
  const catalog = given('nobody');
  const roles = catalog.roles.map((each) => (each.name === 'web' ? { ...each, login: true } : each));
  expect(driftIn({ ...catalog, roles })).toMatchObject([{ name: 'attributes of web', actual: 'LOGIN' }]);
});
