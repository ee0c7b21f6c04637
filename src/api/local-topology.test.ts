import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type LocalTopology, parseLocalTopology } from '@understudy/client/topology';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { topology } from '../../test/fixtures/pooler-rehearsal.ts';
import { defaultLocalLimits, type LocalLimits, LocalTopologyServer } from './local-topology.ts';

let directory: string;
let socket: string;
let said: LocalTopology;
let server: LocalTopologyServer;
const listeners = new Set<() => void>();
const streams: IncomingMessage[] = [];
const sockets: Socket[] = [];

const source = {
  current: () => said,
  onChange(listener: () => void) {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
};

function say(term: number): void {
  const heard = topology('db1', { term, primary: 'db1' });
  said = { version: 1, topology: heard, heardAgoMs: 3, pooler: { state: 'open', readOnly: false } };
  for (const listener of listeners) listener();
}

async function open(limits: Partial<LocalLimits> = {}): Promise<void> {
  server = new LocalTopologyServer(source, { ...defaultLocalLimits, ...limits });
  await server.listen(socket);
}

async function ask(path: string, method = 'GET'): Promise<IncomingMessage> {
  const asked = request({ socketPath: socket, path, method, agent: false });
  asked.on('error', () => undefined);
  asked.end();
  const [response]: IncomingMessage[] = await once(asked, 'response');
  if (response === undefined) throw new Error('no answer');
  streams.push(response);
  return response;
}

async function textOf(response: IncomingMessage): Promise<string> {
  let text = '';
  for await (const piece of response) text += piece;
  return text;
}

async function* linesOf(response: IncomingMessage): AsyncGenerator<LocalTopology> {
  let rest = '';
  for await (const piece of response) {
    const lines = `${rest}${piece}`.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) yield parseLocalTopology(JSON.parse(line));
  }
}

async function rawConnection(): Promise<Socket> {
  const raw = connect(socket);
  sockets.push(raw);
  raw.on('error', () => undefined);
  await once(raw, 'connect');
  return raw;
}

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'us-local-'));
  socket = join(directory, 'topology.sock');
  say(4);
});
afterEach(async () => {
  for (const stream of streams.splice(0)) stream.destroy();
  for (const raw of sockets.splice(0)) raw.destroy();
  await server.close();
  rmSync(directory, { recursive: true });
});

describe('applications of this host', () => {
  it('are told once, or at once and at every change', async () => {
    await open({ heartbeatMs: 3_600_000 });
    expect(parseLocalTopology(JSON.parse(await textOf(await ask('/v1/topology'))))).toEqual(said);
    const lines = linesOf(await ask('/v1/topology/stream'));
    expect((await lines.next()).value).toEqual(said);
    say(5);
    expect((await lines.next()).value).toMatchObject({ topology: { term: 5 } });
  });

  it('are told again and again without a change', async () => {
    await open({ heartbeatMs: 5 });
    const lines = linesOf(await ask('/v1/topology/stream'));
    for (const _ of ['at once', 'again', 'and again']) expect((await lines.next()).value).toEqual(said);
  });

  it('cost nothing while nobody follows', async () => {
    await open();
    expect(listeners.size).toBe(0);
    const two = [await ask('/v1/topology/stream'), await ask('/v1/topology/stream')];
    expect(listeners.size).toBe(1);
    for (const stream of two) stream.destroy();
    await expect.poll(() => listeners.size).toBe(0);
    const lines = linesOf(await ask('/v1/topology/stream'));
    await lines.next();
    say(5);
    expect((await lines.next()).value).toMatchObject({ topology: { term: 5 } });
  });

  it('may all open the socket, and nothing but look', async () => {
    await open();
    expect(statSync(socket).mode & 0o777).toBe(0o666);
    for (const [path, method] of [
      ['/', 'GET'],
      ['/v1/status', 'GET'],
      ['/v1/topology', 'POST'],
      ['/v1/topology/stream', 'DELETE'],
    ] as const) {
      const response = await ask(path, method);
      expect(response.statusCode).toBe(404);
      expect(JSON.parse(await textOf(response))).toMatchObject({ code: 'NOT_FOUND' });
    }
  });
});

describe('a client that means no good', () => {
  it('gets no more streams than there are, while others are told', async () => {
    await open({ streams: 2 });
    for (const _ of [1, 2]) expect((await ask('/v1/topology/stream')).statusCode).toBe(200);
    const third = await ask('/v1/topology/stream');
    expect(third.statusCode).toBe(503);
    expect(JSON.parse(await textOf(third))).toMatchObject({ code: 'REFUSED' });
    expect((await ask('/v1/topology')).statusCode).toBe(200);
    streams[0]?.destroy();
    await expect.poll(async () => (await ask('/v1/topology/stream')).statusCode).toBe(200);
  });

  it('is cut off when it reads nothing, and leaves its place to another', async () => {
    await open({ streams: 1, drainWithinMs: 20, heartbeatMs: 1 });
    const raw = await rawConnection();
    raw.write('GET /v1/topology/stream HTTP/1.1\r\nHost: x\r\n\r\n');
    await once(raw, 'data');
    raw.pause();
    expect((await ask('/v1/topology/stream')).statusCode).toBe(503);
    // More than the system keeps for one who does not read.
    const cluster = 'x'.repeat(100_000);
    said = { ...said, topology: { ...topology('db1', { term: 4, primary: 'db1' }), cluster } };
    const another = async () => (await ask('/v1/topology/stream')).statusCode;
    await expect.poll(another, { timeout: 10_000 }).toBe(200);
  });

  it.each([
    ['says nothing', ''],
    ['never ends its request', 'GET /v1/topology HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n1'],
    ['asks with a head of many bytes', `GET /v1/topology HTTP/1.1\r\nHost: ${'x'.repeat(10_000)}\r\n\r\n`],
    ['speaks no HTTP', '\u0000\u0001 hello\r\n\r\n'],
    ['asks twice', 'GET /v1/topology/stream HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(2)],
  ])('is cut off when it %s', async (_, text) => {
    await open({ requestWithinMs: 50 });
    const raw = await rawConnection();
    raw.resume();
    const closed = once(raw, 'close');
    raw.write(text);
    await closed;
    expect((await ask('/v1/topology')).statusCode).toBe(200);
  });
});

describe('the socket', () => {
  it('of an agent that was killed is taken over, and removed at the end', async () => {
    const killed = createServer();
    killed.listen(join(directory, 'former.sock'));
    await once(killed, 'listening');
    const { renameSync } = await import('node:fs');
    renameSync(join(directory, 'former.sock'), socket); // its end removes another path
    killed.close();
    await once(killed, 'close');
    expect(existsSync(socket)).toBe(true);
    await open();
    expect((await ask('/v1/topology')).statusCode).toBe(200);
    await server.close();
    expect(existsSync(socket)).toBe(false);
  });

  it('of an agent that lives is left alone', async () => {
    await open();
    const first = server;
    await expect(open()).rejects.toMatchObject({ code: 'REFUSED' });
    await server.close();
    server = first;
    expect((await ask('/v1/topology')).statusCode).toBe(200);
  });

  it('is no file of somebody else', async () => {
    writeFileSync(socket, 'mine');
    await expect(open()).rejects.toMatchObject({ code: 'REFUSED' });
    expect(statSync(socket).isFile()).toBe(true);
  });
});
