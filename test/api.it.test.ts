/** Who may do what, over real TLS: every route by every kind of caller. */
import { createConnection } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { connect } from 'node:tls';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createAgentClient } from '../src/api/client.ts';
import { mayCall, onBehalfOfHeader, type RouteName, routes } from '../src/api/contract/routes.ts';
import { UnderstudyError } from '../src/errors/understudy-error.ts';
import { type ApiWorld, type Callers, issueCallers, raw, startApi, until } from './fixtures/api-world.ts';
import { exampleReport, exampleSpec } from './fixtures/fake-backend.ts';

let callers: Callers;
let world: ApiWorld;

beforeAll(async () => {
  callers = await issueCallers();
});
beforeEach(async () => {
  world = await startApi(callers);
});
afterEach(() => world.close());

const switchover = { to: null, forceAfterMs: null, without: [], dryRun: false, paceMs: 0 };
const paths: Partial<Record<RouteName, string>> = {
  report: '/v1/poolers/web0/report',
  cancel: '/v1/operations/S-1/cancel',
  receipt: '/v1/receipts/R-0142',
};
const examplePem = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
type PostRoute = {
  [Name in RouteName]: (typeof routes)[Name]['method'] extends 'POST' ? Name : never;
}[RouteName];
type WithoutBody = 'backupPassage' | 'cancel' | 'checkpoint' | 'reinit' | 'restart';
/** Of every route that takes one. */
const bodies: Readonly<Record<Exclude<PostRoute, WithoutBody>, unknown>> = {
  token: { node: 'web0', role: null, forMs: 60_000, digest: '0'.repeat(64) },
  person: { role: 'viewer', name: 'vera', lifeMs: 60_000, request: 'request' },
  revokeCertificates: { target: { of: 'serial', serial: 'AB' }, lastWayIn: false },
  promise: { term: 1, round: 1, forMs: 6_060 },
  lastWords: { file: '000000010000000000000003', offset: 0 },
  apply: { baseRevision: 3, spec: exampleSpec },
  failover: { to: null, accept: null },
  readOnly: { on: true, reason: null },
  handsOff: { forMs: 60_000 },
  switchover,
  certificate: { wishes: [{ purpose: 'node', request: 'request' }] },
  registerCertificate: { certificatePem: examplePem, name: 'shop', where: null },
  stateTrust: { number: 1, document: '{}', signature: 'AAAA' },
  forgetCertificate: { name: 'shop' },
  renewAuthority: { sealed: [{ node: 'pg0', sealed: 'sealed' }] },
  rotateCredentials: { application: null, node: null },
  revertDatabases: { name: null },
  dropDatabase: { name: 'wiki' },
  acceptAudit: { node: 'pg1', sequence: 4, hash: '0'.repeat(64) },
  report: exampleReport,
  orderBackup: { work: 'full' },
  cancelBackup: { run: 'B-0007' },
  repositorySecret: { credentials: { kind: 'none' }, passphrase: 'secret', replaces: false },
};
const isRouteName = (name: string): name is RouteName => Object.hasOwn(routes, name);
const names = Object.keys(routes).filter(isRouteName);
const once = names.filter((name) => name !== 'topologyStream' && name !== 'backupPassage');

function ask(
  name: RouteName,
  as: Exclude<keyof Callers, 'authority'> | null,
  headers: Readonly<Record<string, string>> = {},
) {
  const all: Partial<Record<RouteName, unknown>> = bodies;
  const body = all[name];
  return raw({
    port: world.port,
    as: as === null ? null : callers[as],
    method: routes[name].method,
    path: paths[name] ?? routes[name].path,
    headers,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

describe('a caller with a certificate of the cluster', () => {
  const kinds = ['operator', 'viewer', 'database', 'app', 'witness'] as const;
  const table = once.flatMap((name) =>
    kinds.map((kind) => ({ name, kind, may: routes[name].who.some((who) => who === kind) })),
  );

  it.each(table)('$kind calls $name: $may', async ({ kind, may, name }) => {
    const answer = await ask(name, kind);
    if (may) expect(answer).toMatchObject({ status: 200 });
    else expect(answer).toMatchObject({ status: 403, json: { code: 'FORBIDDEN', retry: 'never' } });
    if (!may) expect(world.backend.calls).toEqual([]);
  });

  it('may follow the topology unless it is a witness', async () => {
    expect(await ask('topologyStream', 'witness')).toMatchObject({ status: 403 });
  });
});

describe('a caller without one', () => {
  it.each(names)('that left the spec, of another cluster, or a store, is refused on %s', async (name) => {
    expect(await ask(name, 'stranger')).toMatchObject({ status: 403, json: { code: 'FORBIDDEN' } });
    expect(await ask(name, 'otherCluster')).toMatchObject({ status: 403, json: { code: 'CERTIFICATE_REFUSED' } });
    expect(await ask(name, 'store')).toMatchObject({ status: 403, json: { code: 'CERTIFICATE_REFUSED' } });
    expect(world.backend.calls).toEqual([]);
  });

  it.each(names)('gets no answer at all on %s: of another authority, expired, none', async (name) => {
    await expect(ask(name, 'otherAuthority')).rejects.toThrow();
    await expect(ask(name, 'expired')).rejects.toThrow();
    await expect(ask(name, null)).rejects.toThrow();
    expect(world.backend.calls).toEqual([]);
  });

  it('is refused when its certificate is for servers only', async () => {
    const { keyPem, certificatePem } = await serverOnly();
    await expect(
      raw({ port: world.port, as: { keyPem, certificatePem, caPem: '' }, path: '/v1/health' }),
    ).rejects.toThrow();
  });

  it('that speaks plain HTTP gets no answer', async () => {
    const heard = await new Promise<string>((resolve, reject) => {
      const socket = createConnection({ host: '127.0.0.1', port: world.port }, () => {
        socket.write('GET /v1/health HTTP/1.1\r\nhost: x\r\n\r\n');
      });
      let text = '';
      socket.on('data', (chunk) => {
        text += chunk.toString('latin1');
      });
      socket.on('error', reject);
      socket.on('close', () => resolve(text));
    });
    expect(heard).not.toContain('HTTP/');
  });

  async function serverOnly() {
    const { ExtendedKeyUsage, ExtendedKeyUsageExtension, SubjectAlternativeNameExtension } = await import(
      '@peculiar/x509'
    );
    const { forge } = await import('./fixtures/authority.ts');
    const extensions = [
      new SubjectAlternativeNameExtension([{ type: 'url', value: 'understudy://psf/node/pg1' }]),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
    ];
    return forge(callers.authority, 'pg1', extensions);
  }
});

describe('a node', () => {
  it('that leaves the spec may do nothing from then on, on the same connection', async () => {
    expect(await ask('topology', 'app')).toMatchObject({ status: 200 });
    world.backend.roles.delete('web0');
    expect(await ask('topology', 'app')).toMatchObject({ status: 403 });
  });

  it('reports for itself alone, in the path and in the report', async () => {
    const report = (path: string, node: string) =>
      raw({
        port: world.port,
        as: callers.app,
        method: 'POST',
        path,
        body: JSON.stringify({ ...exampleReport, node }),
      });
    expect(await report('/v1/poolers/web1/report', 'web1')).toMatchObject({ status: 403 });
    expect(await report('/v1/poolers/web1/report', 'web0')).toMatchObject({ status: 403 });
    expect(await report('/v1/poolers/web0/report', 'web1')).toMatchObject({ status: 403 });
    expect(await report('/v1/poolers/web0/../web1/report', 'web1')).toMatchObject({ status: 404 });
    expect(world.backend.calls).toEqual([]);
    expect(await report('/v1/poolers/web0/report', 'web0')).toMatchObject({ status: 200 });
    expect(await report('/v1/poolers/web%30/report', 'web0')).toMatchObject({ status: 200 });
    expect(world.backend.calls).toEqual([
      ['report', 'web0'],
      ['report', 'web0'],
    ]);
  });
});

describe('acting for an operator', () => {
  const header = { [onBehalfOfHeader]: `operator/${encodeURIComponent('Ernest B., ops')}` };

  it("is a database node's alone", async () => {
    expect(await ask('switchover', 'database', header)).toMatchObject({ status: 200 });
    expect(await ask('switchover', 'database')).toMatchObject({ status: 200 });
    expect(await ask('switchover', 'operator')).toMatchObject({ status: 200 });
    expect(world.backend.calls).toEqual([
      ['switchover', 'Ernest B., ops'],
      ['switchover', 'pg1'],
      ['switchover', 'ernest'],
    ]);
    expect(await ask('switchover', 'operator', header)).toMatchObject({ status: 403 });
    expect(await ask('report', 'app', header)).toMatchObject({ status: 403 });
  });

  it.each(once)('takes nobody further than a viewer may go himself: %s', async (name) => {
    const vera = { [onBehalfOfHeader]: 'viewer/vera' };
    if (name === 'events') return;
    const may = mayCall(name, 'database') && mayCall(name, 'viewer');
    expect(await ask(name, 'database', vera)).toMatchObject({ status: may ? 200 : 403 });
    expect(world.backend.calls).toEqual([]);
  });

  it('of an agent from before there were viewers names an operator', async () => {
    expect(await ask('switchover', 'database', { [onBehalfOfHeader]: 'ernest' })).toMatchObject({ status: 200 });
    expect(world.backend.calls).toEqual([['switchover', 'ernest']]);
  });

  it.each(['', '%', '%00', 'a%0Ab', 'x'.repeat(201), 'operator/', 'node/pg0', 'operator/a/b', 'viewer'.repeat(40)])(
    'needs a name, not %j',
    async (name) => {
      const answer = await ask('switchover', 'database', { [onBehalfOfHeader]: name });
      expect(answer).toMatchObject({ status: 400, json: { code: 'REQUEST_INVALID' } });
      expect(world.backend.calls).toEqual([]);
    },
  );
});

describe('an error', () => {
  it.each([
    ['REQUEST_INVALID', 400],
    ['FORBIDDEN', 403],
    ['NOT_FOUND', 404],
    ['REFUSED', 409],
    ['CONFLICT', 409],
    ['STORE_UNREACHABLE', 503],
    ['POSTGRES_FAILED', 500],
  ] as const)('%s comes with status %d, its message and its hint', async (code, status) => {
    world.backend.failure = new UnderstudyError(code, 'pg1 is 3 MB behind', { hint: 'wait' });
    const answer = await ask('status', 'operator');
    expect(answer).toMatchObject({ status, json: { code, message: 'pg1 is 3 MB behind', hint: 'wait' } });
  });

  it("that was not foreseen doesn't say what it was", async () => {
    world.backend.failure = new Error('the password is swordfish');
    const answer = await ask('status', 'operator');
    expect(answer).toMatchObject({ status: 500, json: { code: 'BROKEN_INVARIANT' } });
    expect(answer.text).not.toContain('swordfish');
  });

  it('says what there is not', async () => {
    const get = (path: string, method = 'GET') => raw({ port: world.port, as: callers.operator, path, method });
    expect(await get('/v1/receipts/R-1')).toMatchObject({ status: 404, json: { code: 'NOT_FOUND' } });
    expect(await get('/v2/status')).toMatchObject({ status: 404, json: { code: 'NOT_FOUND' } });
    expect(await get('/v1/status', 'DELETE')).toMatchObject({ status: 405 });
    expect(await get('/v1/status/')).toMatchObject({ status: 404 });
    expect(await get('/v1/operations/S-1/cancel')).toMatchObject({ status: 405 });
  });

  it('comes in time when there is no answer', async () => {
    const slow = await startApi(callers, { answerWithinMs: () => 50 });
    slow.backend.doctor = () => new Promise(() => {});
    try {
      const answer = await raw({ port: slow.port, as: callers.operator, path: '/v1/doctor' });
      expect(answer).toMatchObject({ status: 503, json: { code: 'TIMEOUT' } });
    } finally {
      await slow.close();
    }
  });
});

describe('an order that takes its time', () => {
  const begun = { outcome: 'started', operation: 'R-0002' } as const;
  const preflight = { from: 'pg0', to: 'pg1', poolers: [], blockers: [], warnings: [] };
  const order = (port: number) =>
    raw({ port, as: callers.operator, method: 'POST', path: '/v1/switchover', body: JSON.stringify(switchover) });

  async function withLimits(limitMs: number, work: (slow: ApiWorld) => Promise<void>): Promise<void> {
    const slow = await startApi(callers, { answerWithinMs: (route) => (route === 'switchover' ? limitMs : 1) });
    try {
      await work(slow);
    } finally {
      await slow.close();
    }
  }

  it('has the time of its own route, not that of another', async () => {
    await withLimits(60_000, async (slow) => {
      slow.backend.switchover = async () => {
        await delay(50);
        return { ...begun, preflight };
      };
      expect(await order(slow.port)).toMatchObject({ status: 200, json: begun });
    });
  });

  it('is cancelled when its time is over, and called late only then', async () => {
    await withLimits(50, async (slow) => {
      slow.backend.switchover = (_, __, signal) => untilAborted(signal);
      expect(await order(slow.port)).toMatchObject({ status: 503, json: { code: 'TIMEOUT' } });
      // As one whose record was on its way to the store already.
      slow.backend.switchover = async (_, __, signal) => {
        await untilAborted(signal).catch(() => {});
        return { ...begun, preflight };
      };
      expect(await order(slow.port)).toMatchObject({ status: 200, json: begun });
      slow.backend.switchover = async (_, __, signal) => {
        await untilAborted(signal).catch(() => {});
        throw new UnderstudyError('STORE_UNREACHABLE', 'no endpoint answered');
      };
      expect(await order(slow.port)).toMatchObject({ status: 503, json: { code: 'STORE_UNREACHABLE' } });
    });
  });

  it('is cancelled when whoever asked has gone, also through the agent that passed it on', async () => {
    await withLimits(60_000, async (holder) => {
      let stage: 'not there' | 'under way' | 'cancelled' = 'not there';
      holder.backend.switchover = async (_, __, signal) => {
        stage = 'under way';
        return await untilAborted(signal).finally(() => {
          stage = 'cancelled';
        });
      };
      const { port } = holder;
      const peer = createAgentClient({
        ...{ cluster: 'psf', node: 'pg0', hostName: 'pg0.psf.io', address: '127.0.0.1', port },
        tls: callers.database,
      });
      world.backend.switchover = (request, by, signal) =>
        peer.switchover(request, { onBehalfOf: by.kind === 'agent' ? undefined : by, signal });
      const leaving = new AbortController();
      const operator = createAgentClient({
        ...{ cluster: 'psf', node: 'pg0', hostName: 'pg0.psf.io', address: '127.0.0.1', port: world.port },
        tls: callers.operator,
      });
      const asked = operator.switchover(switchover, { signal: leaving.signal });
      const refused = expect(asked).rejects.toMatchObject({ code: 'AGENT_UNREACHABLE' });
      await until(() => stage === 'under way', 'the order');
      leaving.abort();
      await refused;
      await until(() => stage === 'cancelled', 'the cancelled order');
      operator.close();
      peer.close();
    });
  });

  const untilAborted = (signal: AbortSignal): Promise<never> =>
    new Promise((_, reject) => {
      if (signal.aborted) reject(signal.reason);
      else signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
});

describe('the server', () => {
  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'resumes no session of %s: it would not be verified again',
    async (version) => {
      const visit = (session?: Buffer) =>
        new Promise<{ session: Buffer | undefined; reused: boolean }>((resolve, reject) => {
          const { certificatePem: cert, keyPem: key } = callers.operator;
          const tls = { cert, key, rejectUnauthorized: false, minVersion: version, maxVersion: version };
          const socket = connect({
            ...tls,
            ...(session === undefined ? {} : { session }),
            host: '127.0.0.1',
            port: world.port,
          });
          let offered: Buffer | undefined;
          socket.on('session', (one: Buffer) => {
            offered = one;
          });
          socket.on('error', reject);
          let reused = false;
          socket.on('secureConnect', () => {
            reused = socket.isSessionReused();
          });
          socket.on('close', () => resolve({ session: offered, reused }));
          socket.write('GET /v1/health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n');
          socket.resume();
        });
      const { session } = await visit();
      expect(await visit(session)).toMatchObject({ reused: false });
    },
  );

  it('says that its port is taken', async () => {
    await expect(startApi(callers, { port: world.port })).rejects.toMatchObject({ code: 'PORT_IN_USE' });
  });
});
