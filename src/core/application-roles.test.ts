import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nodeSpec, specOf } from '../../test/fixtures/spec.ts';
import { applicationRoles, groupRole, loginRole, loginRoles } from './application-roles.ts';
import { plainApplication } from './plain-spec.ts';
import { defaultApplicationFiles, plainDatabase } from './spec.ts';

const identifier = fc.stringMatching(/^[a-z_][a-z0-9_-]{0,62}$/);
const node = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?){0,2}$/);

describe('the names of roles', () => {
  it('take turns with each generation', () => {
    expect([1, 2, 3, 4].map((generation) => loginRole('shop', 'web0.iad1', generation))).toEqual([
      'shop@web0.iad1:1',
      'shop@web0.iad1:2',
      'shop@web0.iad1:1',
      'shop@web0.iad1:2',
    ]);
  });

  it('fit into PostgreSQL, and say what they are for where they must be cut', () => {
    const long = loginRole('report', `${'a'.repeat(60)}.iad1`, 2);
    expect(long).toMatch(/^report@a+~[0-9a-f]{16}:2$/);
    expect(long).toHaveLength(63);
    expect(groupRole('d'.repeat(63), 'write')).toMatch(/^d+~[0-9a-f]{16}:write$/);
  });

  it('differ wherever anything differs', () => {
    const thing = fc.tuple(identifier, node);
    fc.assert(
      fc.property(fc.uniqueArray(thing, { maxLength: 8, selector: ([a, n]) => `${a} ${n}` }), (things) => {
        const names = [
          ...new Set(things.flatMap(([name]) => [name, groupRole(name, 'read'), groupRole(name, 'write')])),
          ...things.flatMap(([name, on]) => loginRoles(name, on)),
        ];
        expect(new Set(names).size).toBe(names.length);
        for (const name of names) expect(name.length).toBeLessThanOrEqual(63);
      }),
    );
  });
});

describe('applicationRoles', () => {
  const spec = specOf([], {
    nodes: [nodeSpec('db1'), nodeSpec('web1'), nodeSpec('web2')],
    databases: [plainDatabase('shop', 'shop')],
    applications: [
      plainApplication('shop', ['web1']),
      {
        name: 'report',
        database: 'shop',
        rights: 'ro',
        nodes: ['web1', 'web2'],
        poolSize: null,
        outage: 'hold',
        files: defaultApplicationFiles,
        rotateEveryMs: null,
      },
    ],
  });

  it('makes an application of its owner’s name the owner', () => {
    expect(applicationRoles(spec).map(({ name, rights }) => [name, rights])).toEqual([
      ['shop', 'owner'],
      ['report', 'ro'],
    ]);
  });

  it('lets the first login of each node in, and what else it is told to', () => {
    const [, report] = applicationRoles(spec, (_, on) => (on === 'web2' ? [2, 3] : [2]));
    expect(report?.logins).toEqual([
      { name: 'report@web1:1', mayLogIn: false },
      { name: 'report@web1:2', mayLogIn: true },
      { name: 'report@web2:1', mayLogIn: true },
      { name: 'report@web2:2', mayLogIn: true },
    ]);
    expect(applicationRoles(spec)[0]?.logins.map(({ mayLogIn }) => mayLogIn)).toEqual([true, false]);
  });
});
