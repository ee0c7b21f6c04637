/** Sessions by cookie in the frameworks themselves: what a user wrote is there in his next request, and nobody else waits. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { Readable } from 'node:stream';
import { ClusterPool } from '@understudy/client';
import { sessionCookies as forExpress } from '@understudy/client/express';
import { sessionCookies as forFastify } from '@understudy/client/fastify';
import { sessionCookies as forHono } from '@understudy/client/hono';
import express from 'express';
import fastify from 'fastify';
import { Hono } from 'hono';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { hasNote, nextId, World } from './exam.ts';

const cookies = { secrets: ['a secret for these tests'], secure: false };
const insert = 'INSERT INTO notes (id) VALUES ($1)';
const large = 'x'.repeat(1_000_000);

interface Site {
  ask(path: string, init?: RequestInit): Promise<Response>;
  close(): Promise<void>;
}

/** `POST /notes` with `{ id }`, `GET /notes/:id` from a replica, `POST /fails`, `POST /stream`. */
type Open = (db: ClusterPool) => Promise<Site>;

async function write(db: ClusterPool, body: unknown): Promise<number> {
  const id: unknown = Reflect.get(Object(body), 'id');
  await db.query(insert, [id]);
  return Number(id);
}

async function isThere(db: ClusterPool, id: string): Promise<boolean> {
  return (await db.read().query(hasNote, [id])).rowCount === 1;
}

async function listening(server: Server): Promise<Site> {
  if (!server.listening) await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    ask: (path, init) => fetch(`http://127.0.0.1:${address.port}${path}`, init),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const openExpress: Open = async (db) => {
  const app = express();
  app.set('env', 'test');
  app.use(forExpress(db, cookies));
  app.use(express.json({ limit: '1mb' }));
  app.post('/notes', async (request, response) => {
    const id = await write(db, request.body);
    response.status(201).cookie('other', '1').json({ id });
  });
  app.get('/notes/:id', async (request, response) => {
    response.sendStatus((await isThere(db, request.params.id)) ? 200 : 404);
  });
  app.post('/fails', async (request) => {
    await write(db, request.body);
    throw new Error('of the handler');
  });
  app.post('/stream', async (request, response) => {
    await write(db, request.body);
    Readable.from([large, large]).pipe(response);
  });
  return await listening(createServer(app).listen(0, '127.0.0.1'));
};

const openFastify: Open = async (db) => {
  const app = fastify();
  await app.register(forFastify(db, cookies));
  app.post('/notes', async (request, reply) => {
    const id = await write(db, request.body);
    return await reply.code(201).header('set-cookie', 'other=1; Path=/').send({ id });
  });
  app.get<{ Params: { id: string } }>('/notes/:id', async (request, reply) => {
    return await reply.code((await isThere(db, request.params.id)) ? 200 : 404).send();
  });
  app.post('/fails', async (request) => {
    await write(db, request.body);
    throw new Error('of the handler');
  });
  app.post('/stream', async (request, reply) => {
    await write(db, request.body);
    return await reply.send(Readable.from([large, large]));
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  return { ...(await listening(app.server)), close: () => app.close() };
};

const openHono: Open = async (db) => {
  const app = new Hono();
  app.use(forHono(db, cookies));
  app.post('/notes', async (c) => {
    const id = await write(db, await c.req.json());
    c.header('Set-Cookie', 'other=1; Path=/', { append: true });
    return c.json({ id }, 201);
  });
  app.get('/notes/:id', async (c) => c.body(null, (await isThere(db, c.req.param('id'))) ? 200 : 404));
  app.post('/fails', async (c) => {
    await write(db, await c.req.json());
    throw new Error('of the handler');
  });
  app.post('/stream', async (c) => {
    await write(db, await c.req.json());
    return c.body(new Blob([large, large]).stream());
  });
  app.onError((_, c) => c.text('failed', 500));
  return { ask: async (path, init) => await app.request(path, init), close: async () => undefined };
};

/** `padding`: so that the body comes in several packets, and its end in events that know of no session. */
function posting(id: number, padding = 0): RequestInit {
  const body = JSON.stringify({ id, padding: 'x'.repeat(padding) });
  return { method: 'POST', headers: { 'content-type': 'application/json' }, body };
}

/** As a browser would send it back. */
function cookieOf(response: Response): string {
  const pairs = response.headers.getSetCookie().map((header) => header.split(';')[0] ?? '');
  return pairs.find((pair) => pair.startsWith('understudy=')) ?? '';
}

describe.each([
  ['express', openExpress],
  ['fastify', openFastify],
  ['hono', openHono],
])('%s', (_, open) => {
  const world = new World();
  let db: ClusterPool;
  let site: Site;
  const others: (() => Promise<void>)[] = [];
  beforeAll(async () => {
    await world.open();
    db = world.pool();
    site = await open(db);
  }, 120_000);
  afterEach(async () => {
    for (const close of others.splice(0).reverse()) await close();
  });
  afterAll(async () => {
    await site.close();
    await db.end();
    await world.close();
  });

  it.each([
    ['/notes', 201, 0],
    ['/notes', 201, 800_000],
    ['/fails', 500, 0],
    ['/stream', 200, 0],
  ])('lets the user of POST %s see it in the next request (%d, %d bytes more)', async (path, status, padding) => {
    await world.whileReplayIsHeld(async () => {
      const id = nextId();
      const written = await site.ask(path, posting(id, padding));
      expect(written.status).toBe(status);
      expect((await written.text()).length).toBeGreaterThan(path === '/stream' ? 1_999_999 : 0);
      const cookie = cookieOf(written);
      expect((await site.ask(`/notes/${id}`, { headers: { cookie } })).status).toBe(200);
      expect((await site.ask(`/notes/${id}`)).status).toBe(404);
      expect((await site.ask(`/notes/${id}`, { headers: { cookie: `${cookie}x` } })).status).toBe(404);
    });
  });

  it("keeps the application's own cookie, and the answer as it was", async () => {
    const id = nextId();
    const response = await site.ask('/notes', posting(id));
    expect(response.headers.getSetCookie().map((header) => header.split('=')[0])).toEqual(['other', 'understudy']);
    expect(response.headers.get('content-type')).toContain('application/json');
    expect(await response.json()).toEqual({ id });
  });

  it('sets none where nothing was written, for GET and HEAD', async () => {
    for (const method of ['GET', 'HEAD']) {
      const response = await site.ask('/notes/0', { method });
      expect([response.status, response.headers.getSetCookie()]).toEqual([404, []]);
    }
  });

  it('keeps requests that run at once apart', async () => {
    const [id, ...readers] = [nextId(), 0, 0, 0, 0];
    const answers = [site.ask('/notes', posting(id)), ...readers.map((none) => site.ask(`/notes/${none}`))];
    const [written, ...read] = await Promise.all(answers);
    expect(written === undefined ? '' : cookieOf(written)).not.toBe('');
    expect(read.map(cookieOf)).toEqual(['', '', '', '']);
  });

  it('answers as ever when the database is away', async () => {
    const nowhere = new ClusterPool({ host: '/nowhere', topologySocket: null });
    others.push(() => nowhere.end());
    const without = await open(nowhere);
    others.push(() => without.close());
    const response = await without.ask('/notes', posting(nextId()));
    expect([response.status, response.headers.getSetCookie()]).toEqual([500, []]);
  });
});
