/** The port for new nodes: to whom a token is told, what is served without a certificate, and how much of it. */
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createEnrolmentServer, type EnrolmentServer } from '../src/api/enrolment-server.ts';
import { askToEnrol } from '../src/cli/enrolment-client.ts';
import { UnderstudyError } from '../src/errors/understudy-error.ts';
import type { Credentials } from '../src/pki/credential-files.ts';
import { fingerprintsOf, newSecret, type TokenContent } from '../src/pki/enrolment-token.ts';
import { issue } from '../src/pki/issue.ts';
import { type Callers, issueCallers, raw } from './fixtures/api-world.ts';
import { createAuthority, days } from './fixtures/authority.ts';
import { createFakeBackend, type FakeBackend } from './fixtures/fake-backend.ts';

let callers: Callers;
let backend: FakeBackend;
let server: EnrolmentServer;
let port: number;
let recorded: string[];
let tls: Credentials;
let nowMs: number;

beforeAll(async () => {
  callers = await issueCallers();
});
beforeEach(async () => {
  [backend, recorded, tls, nowMs] = [createFakeBackend(), [], callers.server, 0];
  server = createEnrolmentServer({
    ...{ backend, tls: () => tls, address: '127.0.0.1', port: 0, log: { debug: () => {}, warn: () => {} } },
    audit: { record: (kind, who, facts) => recorded.push(`${kind} ${who?.as} ${facts.node}: ${facts.because ?? ''}`) },
    nowMs: () => nowMs,
  });
  port = await server.listen();
});
afterEach(() => server.close());

const wishes = [{ purpose: 'node', request: 'x' }] as const;
const token = (change: Partial<TokenContent> = {}): TokenContent => ({
  ...{ cluster: 'psf', domain: 'psf.io', node: 'web0', role: 'app', secret: newSecret() },
  ...{ roots: fingerprintsOf(callers.authority.rootsPem), addresses: [`127.0.0.1:${port}`], ...change },
});
const come = (change?: Partial<TokenContent>) => askToEnrol(token(change), wishes, new AbortController().signal);
const enrol = (body: string) => raw({ port, as: null, method: 'POST', path: '/v1/enrol', body });

async function showing(other: Credentials): Promise<void> {
  tls = other;
  server.renew();
}

describe('a new node', () => {
  it('is served without a certificate, after it has verified a database node by the token', async () => {
    expect(await come()).toMatchObject({ issued: [{ purpose: 'node', chain: 'chain' }], apiPort: 7432 });
    expect(backend.calls).toEqual([['enrol', 'web0']]);
    expect(recorded).toEqual(['enrolment.granted node/web0 web0: ']);
  });

  it('tells its token to nobody of another authority, cluster or role, whatever he shows', async () => {
    const other = await createAuthority({ cluster: 'psf', days: 30 });
    const named = {
      kind: 'node',
      role: 'database',
      cluster: 'psf',
      node: 'pg0',
      domain: 'psf.io',
      addresses: ['127.0.0.1'],
    };
    const impostor = await issue(other, { ...named, kind: 'node', role: 'database', ...days(7) });
    const shown = [
      impostor,
      // With the true root beside a certificate that it did not sign.
      { ...impostor, caPem: callers.authority.rootsPem },
      callers.app,
      callers.otherCluster,
      callers.store,
    ];
    for (const one of shown) {
      await showing(one);
      await expect(come()).rejects.toMatchObject({ code: 'CERTIFICATE_REFUSED' });
      nowMs += 60_000;
    }
    await showing(callers.server);
    await expect(come({ roots: ['A'.repeat(43)] })).rejects.toMatchObject({ code: 'CERTIFICATE_REFUSED' });
    expect(backend.calls).toEqual([]);
  });

  it('is told why it is refused, and goes on to the next address where nobody listens', async () => {
    backend.enrol = async () => {
      throw new UnderstudyError('TOKEN_REFUSED', 'web0 may not enrol: the token was used');
    };
    await expect(come({ addresses: ['127.0.0.1:1', `127.0.0.1:${port}`] })).rejects.toMatchObject({
      ...{ code: 'TOKEN_REFUSED', message: 'web0 may not enrol: the token was used' },
    });
    expect(recorded).toEqual(['enrolment.refused nobody known web0: web0 may not enrol: the token was used']);
    await expect(come({ addresses: ['127.0.0.1:1'] })).rejects.toMatchObject({ code: 'AGENT_UNREACHABLE' });
  });
});

describe('anybody else', () => {
  it('is refused what is malformed, too large, or served elsewhere', async () => {
    expect(await raw({ port, as: null, path: '/v1/status' })).toMatchObject({ status: 404 });
    expect(await raw({ port, as: callers.operator, path: '/v1/enrol' })).toMatchObject({ status: 404 });
    expect(await enrol('{')).toMatchObject({ status: 400 });
    expect(await enrol(JSON.stringify({ node: 'web0', secret: 'short', wishes }))).toMatchObject({ status: 400 });
    const own = [{ purpose: 'own', request: 'x', name: 'example.org' }];
    expect(await enrol(JSON.stringify({ node: 'web0', secret: newSecret(), wishes: own }))).toMatchObject({
      status: 400,
    });
    expect(await enrol(JSON.stringify('x'.repeat(21_000)))).toMatchObject({ status: 413 });
    expect(backend.calls).toEqual([]);
  });

  it('is slowed down, and may come again after a while', async () => {
    const asked = () => raw({ port, as: null, path: '/v1/authority' });
    for (let count = 0; count < 12; count += 1) expect((await asked()).status).toBe(200);
    expect((await asked()).status).toBe(429);
    const refused = await enrol('{}');
    expect(refused.status).toBe(429);
    expect(JSON.parse(refused.text)).toMatchObject({ code: 'TOO_MANY_ATTEMPTS', retry: 'later' });
    nowMs += 5_000;
    expect((await asked()).status).toBe(200);
  });
});
