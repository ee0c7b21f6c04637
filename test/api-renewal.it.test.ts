/** New certificates under connections that stand: nothing that is under way breaks, and nothing outlives its certificate. */
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { topologySource } from '../src/api/app-node-links.ts';
import { createAgentClient } from '../src/api/client.ts';
import type { TopologyMessage } from '../src/api/contract/app-nodes.ts';
import type { Credentials } from '../src/pki/credential-files.ts';
import { readCertificate } from '../src/pki/identity.ts';
import { issue } from '../src/pki/issue.ts';
import { OwnCredentials } from '../src/pki/own-credentials.ts';
import { type ApiWorld, type Callers, issueCallers, startApi, until } from './fixtures/api-world.ts';

let callers: Callers;
let world: ApiWorld;

beforeAll(async () => {
  callers = await issueCallers();
});
beforeEach(async () => {
  world = await startApi(callers, { streams: { heartbeatMs: 50, drainWithinMs: 200 } });
});
afterEach(() => world.close());

const address = () => ({ node: 'pg0', hostName: 'pg0.psf.io', address: '127.0.0.1' });

async function web0(lifeMs: number): Promise<Credentials> {
  const named = { cluster: 'psf', node: 'web0', domain: 'psf.io', addresses: ['127.0.0.1'] };
  return await issue(callers.authority, { kind: 'node', role: 'app', ...named, lifeMs, nowMs: Date.now() });
}

describe('a stream of topologies', () => {
  it('goes on with a new certificate before the old one ends, without a message lost or a break', async () => {
    const own = new OwnCredentials(await web0(3_000));
    const source = topologySource({
      ...{ cluster: 'psf', port: world.port, credentials: own.current, onRenewal: own.onRenewal },
    });
    const heard: TopologyMessage[] = [];
    const breaks: string[] = [];
    const ended = new AbortController();
    const onMessage = (message: TopologyMessage): void => void heard.push(message);
    source.follow(address(), onMessage, (because) => breaks.push(because), ended.signal);
    await until(() => heard.length > 0, 'the first topology');
    own.replace(await web0(600_000));
    const endMs = Date.parse(readCertificate((await web0(3_000)).certificatePem).validTo);
    await until(() => Date.now() > endMs + 500, 'the end of the certificate');
    world.backend.setTopology({ term: 9 });
    await until(() => heard.at(-1)?.topology.term === 9, 'the new term');
    expect(breaks).toEqual([]);
    ended.abort();
    await world.close();
  });

  it('breaks once, when its certificate ends and there is no other', async () => {
    const own = new OwnCredentials(await web0(1_500));
    const source = topologySource({
      ...{ cluster: 'psf', port: world.port, credentials: own.current, onRenewal: own.onRenewal },
    });
    const breaks: string[] = [];
    const ended = new AbortController();
    source.follow(
      address(),
      () => undefined,
      (because) => breaks.push(because),
      ended.signal,
    );
    await until(() => breaks.length > 0, 'the end of the stream');
    own.replace(await web0(600_000));
    expect(breaks).toHaveLength(1);
    ended.abort();
  });
});

describe('a client', () => {
  it('uses new credentials from the next request on, and lets the one under way end with the old', async () => {
    const own = new OwnCredentials(callers.database);
    const client = createAgentClient({ ...address(), cluster: 'psf', port: world.port, tls: own.current });
    try {
      let answer = (): void => undefined;
      world.backend.checkpoint = () =>
        new Promise((resolve) => {
          answer = resolve;
        });
      const underWay = client.checkpoint();
      await client.health();
      own.replace(callers.operator);
      // Only operators may ask that: so it was the new certificate.
      await expect(client.doctor()).resolves.toBeDefined();
      await expect(client.promise({ term: 1, round: 1, forMs: 1 })).rejects.toMatchObject({ code: 'FORBIDDEN' });
      answer();
      await expect(underWay).resolves.toBeUndefined();
    } finally {
      client.close();
    }
  });
});

describe('the server', () => {
  it('shows a new certificate to new connections', async () => {
    const named = { cluster: 'psf', node: 'pg0', domain: 'psf.io', addresses: ['127.0.0.1'] };
    const next = await issue(callers.authority, {
      ...{ kind: 'node', role: 'database', ...named, lifeMs: 600_000, nowMs: Date.now() },
    });
    const { connect } = await import('node:tls');
    const serial = () =>
      new Promise<string>((resolve, reject) => {
        const { operator } = callers;
        const identity = { ca: operator.caPem, cert: operator.certificatePem, key: operator.keyPem };
        const socket = connect({ port: world.port, host: '127.0.0.1', servername: 'pg0.psf.io', ...identity }, () => {
          resolve(socket.getPeerCertificate().serialNumber);
          socket.destroy();
        });
        socket.on('error', reject);
      });
    expect(await serial()).toBe(readCertificate(callers.server.certificatePem).serialNumber);
    world.server.renew(next);
    expect(await serial()).toBe(readCertificate(next.certificatePem).serialNumber);
    expect(() => world.server.renew({ ...next, keyPem: 'x' })).toThrow("can't be used");
  });
});
