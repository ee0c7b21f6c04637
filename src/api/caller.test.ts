/** Who may do what, decided over every route, every identity and everything that could be claimed. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isUnderstudyError } from '../errors/understudy-error.ts';
import { authorise, behalfOf, callerOf } from './caller.ts';
import type { CallerKind, Identity } from './contract/identities.ts';
import { mayCall, type RouteName, routes } from './contract/routes.ts';

const isRouteName = (name: string): name is RouteName => Object.hasOwn(routes, name);
const names = Object.keys(routes).filter(isRouteName);
const kinds = ['viewer', 'operator', 'database', 'app', 'witness'] as const satisfies readonly CallerKind[];

/** The whole of what a viewer and an app node may do, said a second time: a new route is refused until it stands here. */
const looks: readonly RouteName[] = [
  ...(['health', 'status', 'why', 'doctor', 'spec', 'events', 'topology', 'topologyStream'] as const),
  ...(['operation', 'credentials', 'receipts', 'receipt', 'databases', 'lost', 'certificates'] as const),
  ...(['authority', 'trust', 'registered', 'audit', 'auditAnchors', 'auditFile', 'backups'] as const),
];
const ofAppNodes: readonly RouteName[] = ['topology', 'topologyStream', 'report', 'certificate'];

const anyName = fc
  .string({ unit: 'binary', minLength: 1, maxLength: 40 })
  .filter((name) => !/[\p{C}\u2028\u2029]/u.test(name));
const anyIdentity: fc.Arbitrary<Identity> = fc.oneof(
  fc.record({ kind: fc.constantFrom('operator' as const, 'viewer' as const), name: anyName }),
  fc.record({
    kind: fc.constant('node' as const),
    name: anyName,
    role: fc.constantFrom('database' as const, 'app' as const, 'witness' as const, 'unknown' as const),
  }),
);
const kindOf = (identity: Identity) => (identity.kind === 'node' ? identity.role : identity.kind);

function refused(work: () => unknown): string | null {
  try {
    work();
    return null;
  } catch (error) {
    if (!isUnderstudyError(error)) throw error;
    return error.code;
  }
}

describe('the table of rights', () => {
  it('lets a viewer look at everything that an operator may look at, and order nothing', () => {
    expect(names.filter((name) => mayCall(name, 'viewer'))).toEqual(expect.arrayContaining([...looks]));
    expect(names.filter((name) => mayCall(name, 'viewer')).length).toBe(looks.length);
    for (const name of names) if (mayCall(name, 'viewer')) expect(routes[name].method).toBe('GET');
    for (const name of names) if (mayCall(name, 'viewer')) expect(mayCall(name, 'operator')).toBe(true);
  });

  it('lets an app node read the topology and report for itself, and nothing else', () => {
    expect(names.filter((name) => mayCall(name, 'app'))).toEqual(ofAppNodes);
  });

  it('is the one of docs/api.md', () => {
    const page = readFileSync(new URL('../../docs/api.md', import.meta.url), 'utf8');
    const rows = [...page.matchAll(/^\| `(GET|POST) (\S+)` \| (.*?) \| (.*?) \| (.*?) \| (.*?) \| (.*?) \|/gm)];
    const documented = rows.map(([, method, path, ...cells]) => ({
      route: `${method} ${path}`,
      who: kinds.filter((_, index) => cells[index] === '✓'),
    }));
    const declared = names.map((name) => ({
      route: `${routes[name].method} ${routes[name].path}`,
      who: kinds.filter((kind) => mayCall(name, kind)),
    }));
    expect(documented).toEqual(declared);
  });
});

describe('a caller', () => {
  it('is let through exactly where the table says so, whoever he is', () => {
    fc.assert(
      fc.property(fc.constantFrom(...names), anyIdentity, (name, identity) => {
        expect(refused(() => authorise(identity, name))).toBe(mayCall(name, kindOf(identity)) ? null : 'FORBIDDEN');
      }),
      { numRuns: 2_000 },
    );
  });

  it('acts for nobody, unless it is a database node, and then for whoever might do it himself', () => {
    const person = fc.record({ kind: fc.constantFrom('operator' as const, 'viewer' as const), name: anyName });
    fc.assert(
      fc.property(fc.constantFrom(...names), anyIdentity, person, (name, identity, claimed) => {
        const isBelieved = kindOf(identity) === 'database' && mayCall(name, claimed.kind);
        expect(refused(() => callerOf(identity, behalfOf(claimed), name))).toBe(isBelieved ? null : 'FORBIDDEN');
        if (isBelieved) expect(callerOf(identity, behalfOf(claimed), name).orderer).toEqual(claimed);
      }),
      { numRuns: 2_000 },
    );
  });

  it('who claims nothing orders in his own name', () => {
    const node: Identity = { kind: 'node', name: 'pg1', role: 'database' };
    expect(callerOf(node, undefined, 'switchover')).toMatchObject({
      orderer: { kind: 'agent', name: 'pg1' },
      by: 'pg1',
    });
  });

  it('who claims anything that is no name is refused', () => {
    const node: Identity = { kind: 'node', name: 'pg1', role: 'database' };
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (claim) => {
        const code = refused(() => callerOf(node, claim, 'switchover'));
        expect([null, 'REQUEST_INVALID', 'FORBIDDEN']).toContain(code);
        if (code === null) expect(callerOf(node, claim, 'switchover').orderer.kind).toBe('operator');
      }),
      { numRuns: 2_000 },
    );
  });

  it('is told which role an order takes', () => {
    const order = () => authorise({ kind: 'viewer', name: 'vera' }, 'switchover');
    expect(order).toThrow('a viewer may not call POST /v1/switchover: it takes the role operator');
    expect(() => authorise({ kind: 'viewer', name: 'vera' }, 'checkpoint')).toThrow('a viewer may not call');
  });
});
