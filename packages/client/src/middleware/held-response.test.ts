import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { putCookie } from './held-response.ts';

type Handler = (response: ServerResponse, asked: Asked) => void | Promise<void>;
type Way = 'at once' | 'later';

interface Asked {
  times: number;
  failures: unknown[];
  tell(): void;
  readonly begun: Promise<void>;
}

function gate(): { readonly opened: Promise<void>; readonly open: () => void } {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

/** A cookie that is known at once, or when the test tells it. */
async function serve(way: Way | 'when told', handler: Handler): Promise<{ url: string; asked: Asked }> {
  const told = gate();
  const begun = gate();
  const asked: Asked = { times: 0, failures: [], tell: told.open, begun: begun.opened };
  const server = createServer((_: IncomingMessage, response) => {
    const cookie = (): string | Promise<string> => {
      asked.times += 1;
      begun.open();
      if (way === 'at once') return 'u=1';
      const wait = way === 'later' ? new Promise((resolve) => setImmediate(resolve)) : told.opened;
      return wait.then(() => 'u=1');
    };
    putCookie(response, cookie, (error) => {
      asked.failures.push(error);
      response.statusCode = 500;
      response.end('failed');
    });
    void Promise.resolve(handler(response, asked)).catch(() => response.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  cleanups.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${address.port}/`, asked };
}

describe.each(['at once', 'later'] as const)('a cookie that is known %s', (way) => {
  it.each<[string, Handler, { status?: number; body: string; cookies?: string[]; length?: string | null }]>([
    ['end', (r) => void r.end('body'), { body: 'body', length: '4' }],
    ['end without a body', (r) => void r.writeHead(204).end(), { status: 204, body: '', length: null }],
    [
      'write, write, end',
      (r) => {
        r.write('a');
        r.write(Buffer.from('b'));
        r.end('c');
      },
      { body: 'abc', length: null },
    ],
    [
      'writeHead with headers',
      (r) => void r.writeHead(201, 'Made', { 'Content-Type': 'text/plain' }).end('x'),
      { status: 201, body: 'x' },
    ],
    [
      'writeHead with cookies of its own',
      (r) => void r.writeHead(200, { 'set-cookie': ['a=1', 'b=2'] }).end('x'),
      { body: 'x', cookies: ['a=1', 'b=2', 'u=1'] },
    ],
    [
      'writeHead with a cookie in a list',
      (r) => void r.writeHead(200, ['Set-Cookie', 'a=1']).end('x'),
      { body: 'x', cookies: ['a=1', 'u=1'] },
    ],
    [
      'cookies that were set before',
      (r) => {
        r.setHeader('Set-Cookie', 'a=1');
        r.end('x');
      },
      { body: 'x', cookies: ['a=1', 'u=1'] },
    ],
    [
      'flushHeaders, and a body much later',
      async (r) => {
        r.flushHeaders();
        await new Promise((resolve) => setTimeout(resolve, 5));
        r.end('late');
      },
      { body: 'late' },
    ],
  ])('goes with %s', async (_, handler, { status = 200, body, cookies = ['u=1'], length }) => {
    const { url, asked } = await serve(way, handler);
    const response = await fetch(url);
    expect(response.status).toBe(status);
    expect(await response.text()).toBe(body);
    expect(response.headers.getSetCookie()).toEqual(cookies);
    if (length !== undefined) expect(response.headers.get('content-length')).toBe(length);
    expect(asked).toMatchObject({ times: 1, failures: [] });
  });

  it('goes with a stream that is larger than all buffers, and every byte of it', async () => {
    const chunk = Buffer.alloc(64 * 1024, 'x');
    const { url } = await serve(way, (r) => pipeline(Readable.from(Array.from({ length: 64 }, () => chunk)), r));
    const response = await fetch(url);
    expect((await response.arrayBuffer()).byteLength).toBe(64 * chunk.length);
    expect(response.headers.getSetCookie()).toEqual(['u=1']);
  });

  it('goes with a stream of few bytes, whose source waits for drain', async () => {
    const { url } = await serve(way, async (r) => {
      for (const part of ['a', 'b', 'c']) if (!r.write(part)) await once(r, 'drain');
      r.end();
    });
    expect(await (await fetch(url)).text()).toBe('abc');
  });

  it('goes with HEAD', async () => {
    const { url } = await serve(way, (r) => {
      r.setHeader('Content-Length', 4);
      r.end('body');
    });
    const response = await fetch(url, { method: 'HEAD' });
    expect(response.headers.getSetCookie()).toEqual(['u=1']);
    expect(response.headers.get('content-length')).toBe('4');
  });

  it('keeps callbacks, and the order of finish and close', async () => {
    const seen: string[] = [];
    const { url } = await serve(way, (r) => {
      r.on('finish', () => seen.push(`finish ${r.writableFinished}`)).on('close', () => seen.push('close'));
      r.write('a', () => seen.push('written'));
      r.end('b', 'utf8', () => seen.push('ended'));
    });
    await (await fetch(url)).text();
    await expect.poll(() => seen).toEqual(['written', 'finish true', 'ended', 'close']);
  });
});

describe('while it is waited for', () => {
  it('the response looks sent, and nothing of it is out', async () => {
    const looks: unknown[] = [];
    const { url, asked } = await serve('when told', (r) => {
      looks.push([r.headersSent, r.writableEnded]);
      r.write('a');
      looks.push([r.headersSent, r.writableEnded]);
      r.end();
      looks.push([r.headersSent, r.writableEnded, r.writableFinished]);
    });
    let isAnswered = false;
    const answer = fetch(url).then((response) => {
      isAnswered = true;
      return response;
    });
    await asked.begun;
    expect(looks).toEqual([
      [false, false],
      [true, false],
      [true, true, false],
    ]);
    expect(isAnswered).toBe(false);
    asked.tell();
    expect(await (await answer).text()).toBe('a');
  });

  it('a client that goes away breaks nothing', async () => {
    const over = gate();
    const { url, asked } = await serve('when told', (r) => {
      r.on('close', () => over.open());
      r.write('a');
      r.end('b');
    });
    const client = request(url).end();
    client.on('error', () => undefined);
    await asked.begun;
    client.destroy();
    await over.opened;
    asked.tell();
    await new Promise((resolve) => setImmediate(resolve));
    expect(asked.failures).toEqual([]);
  });

  it('a call that turns out to be wrong is told, and another answer can be given', async () => {
    const { url, asked } = await serve('when told', (r) => void r.writeHead(9_999).end('x'));
    const answer = fetch(url);
    await asked.begun;
    asked.tell();
    const response = await answer;
    expect([response.status, await response.text()]).toEqual([500, 'failed']);
    expect(asked.failures).toEqual([expect.objectContaining({ code: 'ERR_HTTP_INVALID_STATUS_CODE' })]);
  });
});
