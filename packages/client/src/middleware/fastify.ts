/**
 * Sessions that follow a user from request to request, as a plugin of Fastify.
 *
 * Invariant: a request is one session of the pool, from its first hook to the end of its response, for every route of the
 * instance that the plugin was registered with, declared before or after it.
 */
import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import type { SessionHandle } from '../sessions/session-handle.ts';
import { closed } from './closed.ts';
import { SessionCookie, type SessionCookieOptions, type Sessions } from './cookie.ts';

export type { SessionCookieOptions } from './cookie.ts';

interface RequestLike {
  readonly headers: IncomingHttpHeaders;
}

interface ReplyLike {
  readonly raw: ServerResponse;
  header(name: string, value: string): unknown;
}

type Done = (error?: Error) => void;

interface FastifyLike {
  addHook(name: 'onRequest', hook: (request: RequestLike, reply: ReplyLike, done: Done) => void): unknown;
  addHook(
    name: 'onSend',
    hook: (request: RequestLike, reply: ReplyLike, payload: unknown) => Promise<unknown>,
  ): unknown;
}

interface Opened {
  readonly session: SessionHandle;
  readonly incoming: string | null;
}

/** Throws OptionError. */
export function sessionCookies(
  db: Sessions,
  options: SessionCookieOptions,
): (fastify: FastifyLike, options: unknown, done: Done) => void {
  const cookies = new SessionCookie(options);
  const plugin = (fastify: FastifyLike, _: unknown, registered: Done): void => {
    const requests = new WeakMap<RequestLike, Opened>();
    fastify.addHook('onRequest', (request, reply, done) => {
      const incoming = cookies.read(request.headers.cookie);
      const over = db.session(incoming, async (session) => {
        requests.set(request, { session, incoming });
        done();
        await closed(reply.raw);
      });
      over.catch(done);
    });
    fastify.addHook('onSend', async (request, reply, payload) => {
      const opened = requests.get(request);
      const cookie = opened === undefined ? null : await cookies.changed(opened.session, opened.incoming);
      if (cookie !== null) reply.header('set-cookie', cookie);
      return payload;
    });
    registered();
  };
  // What the package fastify-plugin does: its hooks are the instance's own, and not of a scope of the plugin.
  return Object.assign(plugin, {
    [Symbol.for('skip-override')]: true,
    [Symbol.for('fastify.display-name')]: '@understudy/client',
  });
}
