/** Whatever is sent, the server answers or cuts the connection, and goes on. */

import { Agent, request as httpsRequest } from 'node:https';
import { connect } from 'node:tls';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { routes } from '../src/api/contract/routes.ts';
import { type ApiWorld, type Callers, issueCallers, raw, startApi } from './fixtures/api-world.ts';
import { exampleReport, exampleSpec } from './fixtures/fake-backend.ts';

let callers: Callers;
let world: ApiWorld;
let agent: Agent;

beforeAll(async () => {
  callers = await issueCallers();
  world = await startApi(callers);
  const { certificatePem: cert, keyPem: key } = callers.operator;
  agent = new Agent({ keepAlive: true, cert, key, rejectUnauthorized: false });
});
afterAll(async () => {
  agent.destroy();
  await world.close();
});

const post = (path: string, body: string | Buffer, headers: Readonly<Record<string, string>> = {}) =>
  raw({ port: world.port, as: callers.operator, method: 'POST', path, body, headers });
const alive = () => raw({ port: world.port, as: callers.operator, path: '/v1/health' });
const switchover = { to: 'pg1', forceAfterMs: null, without: [], dryRun: false, paceMs: 0 };
const invalid = { status: 400, json: { code: 'REQUEST_INVALID', retry: 'never' } };

describe('a body', () => {
  it.each([
    ['none', ''],
    ['no JSON', 'to=pg1'],
    ['half a JSON', '{"to":'],
    ['another value', '[]'],
    ['null', 'null'],
    ['an unknown key', JSON.stringify({ ...switchover, force: true })],
    ['a missing key', JSON.stringify({ ...switchover, dryRun: undefined })],
    ['a wrong type', JSON.stringify({ ...switchover, without: 'web0' })],
    ['a negative duration', JSON.stringify({ ...switchover, forceAfterMs: -1 })],
    ['a prototype', `{"__proto__":{"x":1},${JSON.stringify(switchover).slice(1)}`],
  ])('with %s is refused', async (_, body) => {
    expect(await post('/v1/switchover', body)).toMatchObject(invalid);
    expect(world.backend.calls).toEqual([]);
  });

  it('names what is wrong, and where', async () => {
    const [first, ...others] = exampleSpec.nodes;
    const spec = { ...exampleSpec, nodes: [{ ...first, role: 'master' }, ...others] };
    const answer = await post('/v1/spec', JSON.stringify({ baseRevision: 3, spec }));
    expect(answer).toMatchObject(invalid);
    expect(answer.text).toContain('spec.nodes.0.role');
  });

  it('that is broken UTF-8 or of another type is refused', async () => {
    expect(await post('/v1/switchover', Buffer.from([0x22, 0xff, 0x22]))).toMatchObject(invalid);
    const typed = await post('/v1/switchover', JSON.stringify(switchover), { 'content-type': 'text/plain' });
    expect(typed).toMatchObject({ status: 415 });
  });

  it('that is not wanted is refused, and an empty object is as good as none', async () => {
    expect(await post('/v1/restart', '{"now":true}')).toMatchObject(invalid);
    expect(await post('/v1/restart', '{}')).toMatchObject({ status: 200 });
    expect(await raw({ port: world.port, as: callers.operator, method: 'POST', path: '/v1/restart' })).toMatchObject({
      status: 200,
    });
  });

  it.each([1024 * 1024 + 1, 8 * 1024 * 1024])('of %d bytes is too large, announced or not', async (size) => {
    const body = Buffer.alloc(size, 0x20);
    expect(await post('/v1/switchover', body)).toMatchObject({ status: 413, json: { code: 'REQUEST_INVALID' } });
    const unannounced = await post('/v1/switchover', body, { 'transfer-encoding': 'chunked' });
    expect(unannounced).toMatchObject({ status: 413 });
    expect(await alive()).toMatchObject({ status: 200 });
  });

  it('is not read of somebody who may not send it', async () => {
    const body = Buffer.alloc(1024, 0x20);
    const answer = await raw({ port: world.port, as: callers.witness, method: 'POST', path: '/v1/switchover', body });
    expect(answer).toMatchObject({ status: 403 });
  });
});

/** Bytes instead of HTTP; resolves with what came back. */
function bytes(text: string): Promise<string> {
  return new Promise((resolve) => {
    const { certificatePem: cert, keyPem: key } = callers.operator;
    const socket = connect({ host: '127.0.0.1', port: world.port, cert, key, rejectUnauthorized: false }, () => {
      socket.write(text);
    });
    let heard = '';
    socket.on('data', (chunk) => {
      heard += chunk.toString('latin1');
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(heard));
  });
}

describe('what is no HTTP', () => {
  it.each([
    ['nonsense', 'hello\r\n\r\n', '400'],
    ['a head that is too long', `GET / HTTP/1.1\r\nx: ${'x'.repeat(20_000)}\r\n\r\n`, '431'],
    ['two lengths', 'POST /v1/restart HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}', '400'],
    [
      'length and chunks',
      'POST /v1/restart HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n{}',
      '400',
    ],
    ['no host', 'GET /v1/health HTTP/1.1\r\n\r\n', '400'],
  ])('%s is refused', async (_, text, status) => {
    expect(await bytes(text)).toMatch(new RegExp(`^HTTP/1.1 ${status}`));
    expect(await alive()).toMatchObject({ status: 200 });
  });
});

describe('2,000 requests of any kind', () => {
  const paths = [...Object.values(routes).map(({ path }) => path), '/', '//', '/v1', '/v1/poolers/%00/report', '*'];
  const seeds = [switchover, exampleReport, { baseRevision: 1, spec: exampleSpec }];
  const anyBody = fc.oneof(
    fc.json(),
    fc.string({ unit: 'binary' }),
    fc
      .tuple(fc.constantFrom(...seeds), fc.dictionary(fc.string(), fc.jsonValue()))
      .map(([seed, change]) => JSON.stringify({ ...seed, ...change })),
  );
  const anyPath = fc
    .tuple(fc.constantFrom(...paths), fc.string(), fc.string())
    .map(([path, part, query]) => `${path.replace(/:\w+/, encodeURIComponent(part) || 'x')}?${encodeURI(query)}`);
  const answerShape = z.object({ code: z.string(), message: z.string(), hint: z.string(), retry: z.string() });

  function send(method: string, path: string, body: string): Promise<{ status: number; text: string }> {
    return new Promise((resolve, reject) => {
      const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
      const sent = httpsRequest({ agent, host: '127.0.0.1', port: world.port, method, path, headers });
      sent.on('error', reject);
      sent.on('response', (response) => {
        let text = '';
        if (response.headers['content-type'] === 'application/x-ndjson') response.destroy();
        response.on('data', (chunk: Buffer) => {
          text += chunk.toString();
        });
        response.on('error', () => {});
        response.on('close', () => resolve({ status: response.statusCode ?? 0, text }));
      });
      sent.end(body);
    });
  }

  it('are answered, none of them by an error of the server', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('GET', 'POST', 'PUT', 'OPTIONS'),
        anyPath,
        anyBody,
        async (method, path, body) => {
          const { status, text } = await send(method, path, body);
          expect([200, 400, 403, 404, 405]).toContain(status);
          if (status !== 200) answerShape.parse(JSON.parse(text));
        },
      ),
      { numRuns: 2_000 },
    );
    expect(await alive()).toMatchObject({ status: 200 });
  }, 60_000);
});
