/** The client against the real server, and against peers that are not what they should be. */
import { once } from 'node:events';
import { createServer as createTcpServer, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { poolerReporter, topologySource } from '../src/api/app-node-links.ts';
import { type AgentClient, createAgentClient } from '../src/api/client.ts';
import type { AgentAddress } from '../src/api/connection.ts';
import type { TopologyMessage } from '../src/api/contract/app-nodes.ts';
import { UnderstudyError } from '../src/errors/understudy-error.ts';
import type { EventRecord } from '../src/events/catalogue.ts';
import type { Credentials } from '../src/pki/credential-files.ts';
import { type ApiWorld, type Callers, issueCallers, startApi, until } from './fixtures/api-world.ts';
import {
  exampleConfiguration,
  exampleEvent,
  exampleOperation,
  exampleReceipt,
  exampleReport,
  exampleSpec,
} from './fixtures/fake-backend.ts';

let callers: Callers;
let world: ApiWorld;
const clients: AgentClient[] = [];

beforeAll(async () => {
  callers = await issueCallers();
});
beforeEach(async () => {
  world = await startApi(callers, { streams: { heartbeatMs: 50 } });
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await world.close();
});

const pg0 = { cluster: 'psf', node: 'pg0', hostName: 'pg0.psf.io', address: '127.0.0.1' } as const;

function clientOf(tls: Credentials, change: Partial<AgentAddress> = {}): AgentClient {
  const client = createAgentClient({ ...pg0, port: world.port, tls, ...change });
  clients.push(client);
  return client;
}

const request = { to: null, forceAfterMs: null, without: [], dryRun: true, paceMs: 0 };

describe('a client', () => {
  it('gets what the agent says, for each route', async () => {
    const operator = clientOf(callers.operator);
    expect(await operator.health()).toEqual(world.backend.health());
    expect(await operator.status()).toEqual(world.backend.status());
    expect(await operator.why()).toEqual(world.backend.why());
    expect(await operator.doctor()).toEqual(await world.backend.doctor());
    expect(await operator.spec()).toEqual(world.backend.spec());
    expect(await operator.apply({ baseRevision: 3, spec: exampleSpec })).toEqual({ revision: 4 });
    expect(await operator.events(1)).toEqual([exampleEvent(2), exampleEvent(3)]);
    expect(await operator.topology()).toEqual(world.backend.topologyMessage(null));
    expect(await operator.switchover(request)).toMatchObject({ outcome: 'checked' });
    expect(await operator.operation()).toEqual(exampleOperation);
    world.backend.setOperation(null);
    expect(await operator.operation()).toBeNull();
    expect(await operator.cancel('R-0142')).toEqual({ accepted: true, because: 'asked' });
    expect(await operator.receipts()).toEqual([exampleReceipt]);
    expect(await operator.receipt('R-0142')).toEqual(exampleReceipt);
    expect(await operator.reinit()).toMatchObject({ accepted: true });
    expect(await operator.restart()).toMatchObject({ accepted: true });
    const app = clientOf(callers.app);
    await app.report(exampleReport);
    expect((await app.topology()).configuration).toEqual(exampleConfiguration);
    const database = clientOf(callers.database);
    await database.checkpoint();
    await database.switchover(request, { onBehalfOf: { kind: 'operator', name: 'Zoë, ops' } });
    expect(world.backend.calls).toEqual([
      ['apply', 'ernest'],
      ['switchover', 'ernest'],
      ['cancel R-0142', 'ernest'],
      ['reinit', 'ernest'],
      ['restart', 'ernest'],
      ['report', 'web0'],
      ['checkpoint', ''],
      ['switchover', 'Zoë, ops'],
    ]);
  });

  it("throws the agent's own errors", async () => {
    const operator = clientOf(callers.operator);
    await expect(operator.receipt('R-1')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(operator.checkpoint()).rejects.toMatchObject({ code: 'FORBIDDEN', retry: 'never' });
    world.backend.failure = new UnderstudyError('REFUSED', 'pg1 lags', { hint: 'wait for it' });
    await expect(operator.switchover(request)).rejects.toMatchObject({
      code: 'REFUSED',
      message: 'pg1 lags',
      hint: 'wait for it',
    });
  });

  it.each<[string, Partial<AgentAddress>]>([
    ['another node', { node: 'pg1', hostName: 'pg0.psf.io' }],
    ['another name', { node: 'pg0', hostName: 'pg1.psf.io' }],
    ['another cluster', { cluster: 'python' }],
  ])('does not talk to %s', async (_, change) => {
    const operator = clientOf(callers.operator, change);
    await expect(operator.restart()).rejects.toMatchObject({ code: 'CERTIFICATE_REFUSED' });
    expect(world.backend.calls).toEqual([]);
  });

  it('does not talk to an agent of another authority', async () => {
    const other = await issueCallers();
    const stranger = clientOf({ ...callers.operator, caPem: other.authority.rootsPem });
    await expect(stranger.restart()).rejects.toMatchObject({ code: 'CERTIFICATE_REFUSED' });
    expect(world.backend.calls).toEqual([]);
  });

  it('does not take an operator for a server', async () => {
    const server = createTlsServer({ key: callers.operator.keyPem, cert: callers.operator.certificatePem });
    await withServer(server, async (port) => {
      await expect(clientOf(callers.operator, { port }).health()).rejects.toMatchObject({
        code: 'CERTIFICATE_REFUSED',
      });
    });
  });

  it('says that its own certificate is not accepted, has expired, or is none', async () => {
    await expect(clientOf(callers.stranger).health()).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await expect(clientOf(callers.expired).health()).rejects.toMatchObject({
      code: 'CERTIFICATE_REFUSED',
      message: expect.stringContaining('expired'),
    });
    await expect(clientOf(callers.otherAuthority).health()).rejects.toMatchObject({ code: 'AGENT_UNREACHABLE' });
    expect(() => clientOf({ ...callers.operator, keyPem: 'x' })).toThrow(UnderstudyError);
  });

  it('says that nobody is there, answers in time, or speaks TLS', async () => {
    const { port } = world;
    await world.close();
    await expect(clientOf(callers.operator, { port }).health()).rejects.toMatchObject({
      code: 'AGENT_UNREACHABLE',
      retry: 'later',
    });
    const sockets = new Set<Socket>();
    const silent = createTcpServer((socket) => sockets.add(socket));
    await withServer(silent, async (silentPort) => {
      const client = clientOf(callers.operator, { port: silentPort });
      await expect(client.health({ withinMs: 50 })).rejects.toMatchObject({
        code: 'AGENT_UNREACHABLE',
        message: expect.stringContaining('did not answer within 50 ms'),
      });
      const cancelled = AbortSignal.abort();
      await expect(client.health({ signal: cancelled })).rejects.toMatchObject({ code: 'AGENT_UNREACHABLE' });
      await expect(client.followTopology(() => {}, AbortSignal.timeout(50))).resolves.toBeUndefined();
    });
    for (const socket of sockets) socket.destroy();
    const plain = createTcpServer((socket) => socket.end('HTTP/1.1 200 OK\r\n\r\n'));
    await withServer(plain, async (plainPort) => {
      await expect(clientOf(callers.operator, { port: plainPort }).health()).rejects.toMatchObject({
        code: 'AGENT_UNREACHABLE',
      });
    });
  });

  it.each([
    ['no JSON', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi'],
    ['another shape', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}'],
    ['an error of its own making', 'HTTP/1.1 500 No\r\ncontent-length: 2\r\n\r\n{}'],
    [
      'a code that only a newer version knows',
      'HTTP/1.1 409 No\r\ncontent-length: 63\r\n\r\n{"code":"TOO_NEW","message":"m","hint":"h","retry":"operator"}  ',
    ],
  ])('says that it did not understand %s', async (_, answer) => {
    await withServer(agentSaying(answer), async (port) => {
      await expect(clientOf(callers.operator, { port }).status()).rejects.toMatchObject({ code: 'ANSWER_INVALID' });
    });
  });

  it('uses one connection for one request after the other', async () => {
    let connections = 0;
    const answer = JSON.stringify({ node: 'pg0', version: '1', term: 1, storeAgeMs: null });
    const server = agentSaying(`HTTP/1.1 200 OK\r\ncontent-length: ${answer.length}\r\n\r\n${answer}`);
    server.on('secureConnection', () => connections++);
    await withServer(server, async (port) => {
      const client = clientOf(callers.operator, { port });
      for (let asked = 0; asked < 5; asked++) await client.health();
      client.close();
    });
    expect(connections).toBe(1);
  });
});

describe('following', () => {
  it('the topology passes on each message until the signal', async () => {
    const heard: TopologyMessage[] = [];
    const stop = new AbortController();
    const following = clientOf(callers.app).followTopology((message) => heard.push(message), stop.signal);
    await until(() => heard.length > 0, 'first message');
    expect(heard[0]).toEqual(world.backend.topologyMessage('web0'));
    world.backend.setTopology({ term: 9 });
    await until(() => heard.some(({ topology }) => topology.term === 9), 'the change');
    stop.abort();
    await following;
    const { length } = heard;
    world.backend.setTopology({ term: 10 });
    await clientOf(callers.operator).health();
    expect(heard.length).toBe(length);
  });

  it('ends with an error when the agent does, or refuses', async () => {
    const heard: TopologyMessage[] = [];
    const following = clientOf(callers.app).followTopology(
      (message) => heard.push(message),
      new AbortController().signal,
    );
    const broken = expect(following).rejects.toMatchObject({ code: 'AGENT_UNREACHABLE' });
    await until(() => heard.length > 0, 'first message');
    await world.close();
    await broken;
    world = await startApi(callers);
    const refused = clientOf(callers.witness).followTopology(() => {}, new AbortController().signal);
    await expect(refused).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });

  it('notices an agent that has fallen silent, and one that talks nonsense', async () => {
    const head = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n';
    await withServer(agentSaying(head), async (port) => {
      const following = clientOf(callers.app, { port }).followTopology(() => {}, new AbortController().signal);
      await expect(following).rejects.toMatchObject({
        code: 'AGENT_UNREACHABLE',
        message: expect.stringContaining('silent'),
      });
    });
    await withServer(agentSaying(`${head}3\r\n{}\n\r\n`), async (port) => {
      const following = clientOf(callers.app, { port }).followTopology(() => {}, new AbortController().signal);
      await expect(following).rejects.toMatchObject({ code: 'ANSWER_INVALID' });
    });
  }, 15_000);

  it('events gives what there was and what comes', async () => {
    const heard: EventRecord[] = [];
    const stop = new AbortController();
    const following = clientOf(callers.operator).followEvents(2, (event) => heard.push(event), stop.signal);
    await until(() => heard.length === 1, 'what there was');
    world.backend.journal.take([exampleEvent(4)]);
    await until(() => heard.length === 2, 'what comes');
    expect(heard).toEqual([exampleEvent(3), exampleEvent(4)]);
    stop.abort();
    await following;
  });
});

describe("an app node's links", () => {
  const agent = { node: 'pg0', address: '127.0.0.1', hostName: 'pg0.psf.io' };
  const links = () => ({ cluster: 'psf', port: world.port, credentials: () => callers.app });

  it('pass on messages, tell once that the stream broke, and nothing after the signal', async () => {
    const source = topologySource(links());
    const heard: TopologyMessage[] = [];
    const breaks: string[] = [];
    const stop = new AbortController();
    const quietBreaks: string[] = [];
    source.follow(
      agent,
      (message) => heard.push(message),
      (because) => breaks.push(because),
      new AbortController().signal,
    );
    source.follow(
      agent,
      () => {},
      (because) => quietBreaks.push(because),
      stop.signal,
    );
    await until(() => heard.length > 0, 'first message');
    stop.abort();
    await world.close();
    await until(() => breaks.length > 0, 'the break');
    expect(breaks).toHaveLength(1);
    expect(quietBreaks).toEqual([]);
  });

  it('report, with whatever credentials there are now', async () => {
    let credentials = callers.app;
    const reporter = poolerReporter({ ...links(), credentials: () => credentials });
    await reporter.report(agent, exampleReport, { withinMs: 5_000 });
    credentials = { ...callers.app };
    await reporter.report(agent, exampleReport, { withinMs: 5_000 });
    await expect(reporter.report(agent, { ...exampleReport, node: 'web1' }, { withinMs: 5_000 })).rejects.toMatchObject(
      {
        code: 'FORBIDDEN',
      },
    );
    reporter.close();
    expect(world.backend.calls).toEqual([
      ['report', 'web0'],
      ['report', 'web0'],
    ]);
  });
});

/** An agent with the right certificate that answers every request with the same bytes. */
function agentSaying(answer: string) {
  const { certificatePem, keyPem } = callers.server;
  return createTlsServer({ cert: certificatePem, key: keyPem }, (socket) => {
    socket.on('error', () => {});
    socket.on('data', () => socket.write(answer));
  });
}

async function withServer(
  server: ReturnType<typeof createTcpServer>,
  work: (port: number) => Promise<void>,
): Promise<void> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => sockets.add(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const bound = server.address();
  const port = typeof bound === 'object' && bound !== null ? bound.port : 0;
  try {
    await work(port);
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
  }
}
