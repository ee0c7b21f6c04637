/** What goes into the audit log when people, nodes and strangers call an agent over real TLS. */
import { Agent, request as httpsRequest } from 'node:https';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { onBehalfOfHeader } from '../src/api/contract/routes.ts';
import type { AuditFacts, AuditWho } from '../src/audit/line.ts';
import { UnderstudyError } from '../src/errors/understudy-error.ts';
import { type ApiWorld, type Callers, issueCallers, raw, startApi, until } from './fixtures/api-world.ts';
import { exampleSpec } from './fixtures/fake-backend.ts';

interface Recorded {
  readonly kind: string;
  readonly who: AuditWho | null;
  readonly facts: AuditFacts;
}

let callers: Callers;
let world: ApiWorld;
let recorded: Recorded[];

beforeAll(async () => {
  callers = await issueCallers();
});
beforeEach(async () => {
  recorded = [];
  const audit = {
    record: (kind: string, who: AuditWho | null, facts: AuditFacts) => recorded.push({ kind, who, facts }),
  };
  world = await startApi(callers, { audit });
});
afterEach(() => world.close());

const kinds = () => recorded.map(({ kind }) => kind);
const switchover = { to: 'pg1', forceAfterMs: null, without: [], dryRun: false, paceMs: 0 };
const post = (as: keyof Omit<Callers, 'authority'>, path: string, body: unknown, headers = {}) =>
  raw({ port: world.port, as: callers[as], method: 'POST', path, body: JSON.stringify(body), headers });

describe('a login', () => {
  it('is the first request of a person on a connection, with address and serial number', async () => {
    const { certificatePem: cert, keyPem: key } = callers.viewer;
    const agent = new Agent({ keepAlive: true, maxSockets: 1, cert, key, rejectUnauthorized: false });
    for (let time = 0; time < 3; time += 1) {
      await new Promise<void>((resolve, reject) => {
        const sent = httpsRequest({ agent, host: '127.0.0.1', port: world.port, path: '/v1/health' }, (response) => {
          response.resume().on('end', resolve);
        });
        sent.on('error', reject).end();
      });
    }
    agent.destroy();
    expect(recorded).toEqual([
      {
        kind: 'login',
        who: { as: 'viewer/vera', from: '127.0.0.1', serial: expect.stringMatching(/^[0-9A-F]+$/) },
        facts: {},
      },
    ]);
  });

  it('is none of a node', async () => {
    await raw({ port: world.port, as: callers.app, path: '/v1/topology' });
    expect(recorded).toEqual([]);
  });
});

describe('an order', () => {
  const who = { as: 'operator/ernest' };

  it.each([
    ['/v1/spec', { baseRevision: 3, spec: exampleSpec }, 'order.apply', { baseRevision: 3 }, 'done', 'revision 4'],
    ['/v1/switchover', switchover, 'order.switchover', { to: 'pg1' }, 'started', 'S-2'],
    ['/v1/operations/S-1/cancel', {}, 'order.cancel', { operation: 'S-1' }, 'accepted', 'asked'],
    [
      '/v1/read-only',
      { on: true, reason: 'disks' },
      'order.read_only',
      { on: 'on', reason: 'disks' },
      'accepted',
      'asked',
    ],
    ['/v1/hands-off', { forMs: 60_000 }, 'order.hands_off', { forMs: 60_000 }, 'accepted', 'asked'],
    ['/v1/reinit', {}, 'order.reinit', {}, 'accepted', 'asked'],
    ['/v1/reinit', { from: 'backups' }, 'order.reinit', { from: 'backups' }, 'accepted', 'asked'],
    ['/v1/restart', {}, 'order.restart', {}, 'accepted', 'asked'],
    ['/v1/restart', { stopsWrites: true }, 'order.restart', { stopsWrites: true }, 'accepted', 'asked'],
  ])('to %s is there before it is begun, and its end after it', async (path, body, kind, facts, outcome, because) => {
    expect(await post('operator', path, body)).toMatchObject({ status: 200 });
    expect(recorded).toMatchObject([
      { kind: 'login', who },
      { kind, who, facts },
      { kind: 'order.ended', who, facts: { order: 2, what: kind, outcome, because } },
    ]);
  });

  it('that accepts a loss is one, and the question what would be lost is none', async () => {
    const accept = { term: 9, counter: 41, covers: 'unheard', atLeastBytes: 7 };
    await post('operator', '/v1/failover', { to: null, accept: null });
    await post('operator', '/v1/switchover', { ...switchover, dryRun: true });
    expect(kinds()).toEqual(['login', 'login']);
    await post('operator', '/v1/failover', { to: 'pg1', accept });
    expect(recorded.slice(3)).toMatchObject([
      { kind: 'order.failover', facts: { to: 'pg1', term: 9, covers: 'unheard', atLeastBytes: 7 } },
      { kind: 'order.ended', facts: { outcome: 'recorded' } },
    ]);
  });

  it('that was passed on names the person, and the node that passed it on', async () => {
    await post('database', '/v1/switchover', switchover, { [onBehalfOfHeader]: 'operator/ernest' });
    await post('database', '/v1/switchover', switchover);
    expect(recorded.filter(({ kind }) => kind === 'order.switchover')).toMatchObject([
      { who: { as: 'operator/ernest', via: 'node/pg1', from: '127.0.0.1' } },
      { who: { as: 'node/pg1', from: '127.0.0.1' } },
    ]);
  });

  it('that fails ends so', async () => {
    world.backend.failure = new UnderstudyError('REFUSED', 'nobody holds the lease yet');
    await post('operator', '/v1/switchover', switchover);
    expect(recorded.at(-1)).toMatchObject({
      kind: 'order.ended',
      facts: { outcome: 'REFUSED', because: 'nobody holds the lease yet' },
    });
  });

  it('that makes no sense is none', async () => {
    expect(await post('operator', '/v1/operations/secret%20word/cancel', {})).toMatchObject({ status: 400 });
    expect(kinds()).toEqual(['login']);
    await post('operator', '/v1/switchover', { to: 'pg1' });
    expect(kinds()).toEqual(['login', 'login']);
  });
});

describe('a refusal', () => {
  it('is recorded with who it was by his certificate', async () => {
    await post('viewer', '/v1/restart', {});
    await post('app', '/v1/switchover?x=secret', switchover);
    await raw({ port: world.port, as: callers.stranger, path: '/v1/topology' });
    await raw({ port: world.port, as: callers.store, path: '/v1/health' });
    expect(recorded).toMatchObject([
      { kind: 'login', who: { as: 'viewer/vera' } },
      { kind: 'request.refused', who: { as: 'viewer/vera' }, facts: { route: 'POST /v1/restart' } },
      { kind: 'request.refused', who: { as: 'node/web0' }, facts: { route: 'POST /v1/switchover' } },
      { kind: 'request.refused', who: { as: 'node/pg9' } },
      {
        kind: 'request.refused',
        who: { as: 'nobody known' },
        facts: { because: "a store's certificate may not call agents" },
      },
    ]);
  });

  it('at the handshake is recorded with the address', async () => {
    for (const as of [callers.otherAuthority, callers.expired, null])
      await expect(raw({ port: world.port, as, path: '/v1/health' })).rejects.toThrow();
    await until(() => recorded.length === 3, 'three refusals');
    expect(recorded).toMatchObject(
      Array.from({ length: 3 }, () => ({ kind: 'handshake.refused', who: { from: '127.0.0.1' } })),
    );
  });
});
