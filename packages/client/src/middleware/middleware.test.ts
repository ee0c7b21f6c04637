/** What the three have in common, with doubles of the frameworks; test/client-integrations runs the real ones. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { SessionCookie, type Sessions } from './cookie.ts';
import * as express from './express.ts';
import * as fastify from './fastify.ts';
import * as hono from './hono.ts';

const options = { secrets: ['a secret of some length'] };
const cookies = new SessionCookie(options);
const before = 'u1.4.0-100.';
const after = 'u1.4.0-200.';

/** A pool that keeps what it was asked; a session that wrote has another token. */
class SessionsDouble {
  readonly incoming: (string | null | undefined)[] = [];
  readonly #current = new AsyncLocalStorage<{ token: string }>();
  isAway = false;

  readonly db: Sessions = {
    session: async (token, work) => {
      this.incoming.push(token);
      const session = { token: token ?? 'u1.0..' };
      const handle = {
        known: () => null,
        token: async () => {
          if (this.isAway) throw new Error('away');
          return session.token;
        },
      };
      return await this.#current.run(session, () => work(handle));
    },
  };

  write(): void {
    const session = this.#current.getStore();
    if (session === undefined) throw new Error('outside of a session');
    session.token = after;
  }

  get isWithin(): boolean {
    return this.#current.getStore() !== undefined;
  }
}

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly cookies: readonly string[];
}

/** `write`: the handler does, after a while. Its answer says whether it was within the session to its end. */
type Ask = (double: SessionsDouble, what: { readonly write: boolean; readonly cookie?: string }) => Promise<Answer>;

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

async function byHttp(listener: RequestListener, cookie = ''): Promise<Answer> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const response = await fetch(`http://127.0.0.1:${address.port}/`, { headers: { cookie } });
  return { status: response.status, body: await response.text(), cookies: response.headers.getSetCookie() };
}

async function handled(double: SessionsDouble, write: boolean): Promise<string> {
  await new Promise((resolve) => setImmediate(resolve));
  if (write) double.write();
  return double.isWithin ? 'within' : 'outside';
}

const askExpress: Ask = async (double, { cookie, write }) => {
  const middleware = express.sessionCookies(double.db, options);
  return await byHttp((request, response) => {
    middleware(request, response, () => void handled(double, write).then((body) => response.end(body)));
  }, cookie);
};

const askFastify: Ask = async (double, { cookie, write }) => {
  const hooks = new Map<string, (...args: unknown[]) => unknown>();
  const instance = {
    addHook: (name: string, hook: (...args: never[]) => unknown) =>
      hooks.set(name, (...args) => Reflect.apply(hook, undefined, args)),
  };
  fastify.sessionCookies(double.db, options)(instance, {}, () => undefined);
  return await byHttp((request, response) => {
    const reply = { raw: response, header: (name: string, value: string) => response.setHeader(name, value) };
    const run = async (): Promise<void> => {
      const payload = await handled(double, write);
      await hooks.get('onSend')?.(request, reply, payload);
      response.end(payload);
    };
    hooks.get('onRequest')?.(request, reply, () => void run());
  }, cookie);
};

const askHono: Ask = async (double, { cookie, write }) => {
  let body = '';
  const set: string[] = [];
  const context = {
    req: { header: (name: string) => (name === 'cookie' ? cookie : undefined) },
    header: (_: string, value: string) => void set.push(value),
  };
  await hono.sessionCookies(double.db, options)(context, async () => {
    body = await handled(double, write);
  });
  return { status: 200, body, cookies: set };
};

async function cookieOf(token: string): Promise<string> {
  return (await cookies.changed({ token: async () => token, known: () => null }, null))?.split(';')[0] ?? '';
}

describe.each([
  ['express', askExpress],
  ['fastify', askFastify],
  ['hono', askHono],
])('%s', (_, ask) => {
  it('runs the handler to its end as one session, and gives what it wrote along', async () => {
    const double = new SessionsDouble();
    const { body, cookies: set } = await ask(double, { write: true });
    expect(body).toBe('within');
    expect(set.map((header) => cookies.read(header.split(';')[0]))).toEqual([after]);
    expect(double.incoming).toEqual([null]);
  });

  it('goes on where the cookie says, and says nothing new when nothing was written', async () => {
    const double = new SessionsDouble();
    const answer = await ask(double, { write: false, cookie: await cookieOf(before) });
    expect(double.incoming).toEqual([before]);
    expect(answer).toEqual({ status: 200, body: 'within', cookies: [] });
    expect((await ask(double, { write: false })).cookies).toEqual([]);
  });

  it('takes a forged cookie for none', async () => {
    const double = new SessionsDouble();
    const forged = `${await cookieOf(before)}x`;
    expect(await ask(double, { write: false, cookie: forged })).toMatchObject({ status: 200, body: 'within' });
    expect(double.incoming).toEqual([null]);
  });

  it('answers as ever while the database is away', async () => {
    const double = new SessionsDouble();
    double.isAway = true;
    expect(await ask(double, { write: true })).toEqual({ status: 200, body: 'within', cookies: [] });
  });

  it('says before the first request that a secret is too short', () => {
    const { db } = new SessionsDouble();
    for (const { sessionCookies } of [express, fastify, hono]) {
      expect(() => sessionCookies(db, { secrets: ['short'] })).toThrow('secrets');
    }
  });
});
