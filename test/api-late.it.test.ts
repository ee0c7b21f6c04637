/** The port for nodes whose certificates have expired: who is served there, and who is cut off. */
import { createServer } from 'node:http';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createAgentClient } from '../src/api/client.ts';
import { createLateServer, type LateServer } from '../src/api/late-server.ts';
import { noTrail } from '../src/audit/trail.ts';
import type { Credentials } from '../src/pki/credential-files.ts';
import { issue } from '../src/pki/issue.ts';
import { judgeLateCaller } from '../src/pki/lately-expired.ts';
import { type Callers, issueCallers, raw } from './fixtures/api-world.ts';
import { dayMs, past } from './fixtures/authority.ts';
import { createFakeBackend, type FakeBackend } from './fixtures/fake-backend.ts';

let callers: Callers;
let server: LateServer;
let backend: FakeBackend;
let port: number;
let recorded: string[];

beforeAll(async () => {
  callers = await issueCallers();
});
beforeEach(async () => {
  backend = createFakeBackend();
  recorded = [];
  const trust = { rootsPem: callers.authority.rootsPem, cluster: 'psf' };
  server = createLateServer({
    ...{ backend, tls: callers.server, address: '127.0.0.1', port: 0, log: { debug: () => {}, warn: () => {} } },
    audit: { record: (kind, who, facts) => recorded.push(`${kind} ${who?.as ?? ''} ${facts.purposes ?? ''}`.trim()) },
    judge: (certificate) => judgeLateCaller(certificate, trust, Date.now()),
  });
  port = await server.listen();
});
afterEach(() => server.close());

const wishes = [{ purpose: 'node', request: 'x' }] as const;
const named = {
  kind: 'node',
  role: 'app',
  cluster: 'psf',
  node: 'web0',
  domain: 'psf.io',
  addresses: ['127.0.0.1'],
} as const;
const web0 = (validity: { lifeMs: number; nowMs: number }) => issue(callers.authority, { ...named, ...validity });

async function askAs(tls: Credentials) {
  const to = { node: 'pg0', hostName: 'pg0.psf.io', address: '127.0.0.1', port, cluster: 'psf' };
  const client = createAgentClient({ ...to, tls });
  try {
    return await client.certificate(wishes);
  } finally {
    client.close();
  }
}

describe('late callers', () => {
  it('are given a certificate when theirs expired lately, or not at all', async () => {
    for (const tls of [
      await web0(past()),
      await web0({ lifeMs: dayMs, nowMs: Date.now() - 30 * dayMs }),
      callers.app,
    ]) {
      expect(await askAs(tls)).toEqual([{ purpose: 'node', chain: 'chain' }]);
    }
    expect(backend.calls).toEqual([1, 2, 3].map(() => ['issue', 'web0']));
    const both = ['order.certificate node/web0 node', 'order.ended node/web0'];
    expect(recorded).toEqual([...both, ...both, ...both]);
  });

  it('are cut off with one that expired long ago, of another authority, of a person, of a store, or none', async () => {
    const longAgo = await web0({ lifeMs: dayMs, nowMs: Date.now() - 32 * dayMs });
    const { expired, operator, otherAuthority, otherCluster, store } = callers;
    for (const tls of [longAgo, expired, operator, otherAuthority, otherCluster, store]) {
      await expect(raw({ port, as: tls, method: 'POST', path: '/v1/certificate', body: '{}' })).rejects.toThrow();
    }
    expect(recorded).toEqual(Array.from({ length: 6 }, () => 'handshake.refused nobody known'));
    await expect(raw({ port, as: null, path: '/v1/certificate' })).rejects.toThrow();
    expect(backend.calls).toEqual([]);
  });

  it('that the spec does not name any more are refused, and nothing else is served', async () => {
    const as = await web0(past());
    expect(await raw({ port, as, path: '/v1/status' })).toMatchObject({ status: 404 });
    expect(await raw({ port, as, path: '/v1/certificate' })).toMatchObject({ status: 404 });
    expect(await raw({ port, as, method: 'POST', path: '/v1/certificate', body: '{' })).toMatchObject({ status: 400 });
    backend.roles.delete('web0');
    expect(await raw({ port, as, method: 'POST', path: '/v1/certificate', body: '{}' })).toMatchObject({ status: 403 });
  });

  it('are told where the port is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => other.once('listening', resolve));
    const bound = other.address();
    const taken = typeof bound === 'object' && bound !== null ? bound.port : 0;
    const log = { debug: () => {}, warn: () => {} };
    const second = createLateServer({
      ...{ backend, tls: callers.server, address: '127.0.0.1', port: taken, log, audit: noTrail },
      judge: () => ({ known: false, because: '' }),
    });
    await expect(second.listen()).rejects.toMatchObject({ code: 'PORT_IN_USE' });
    other.close();
  });
});
