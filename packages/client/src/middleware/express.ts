/**
 * Sessions that follow a user from request to request, for Express and whatever else calls its middleware like that.
 *
 * Invariant: a request is one session of the pool, from here to the end of its response. No response fails, and none is
 * changed but by its cookie, because the database is away.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { closed } from './closed.ts';
import { SessionCookie, type SessionCookieOptions, type Sessions } from './cookie.ts';
import { putCookie } from './held-response.ts';

export type { SessionCookieOptions } from './cookie.ts';

type Middleware = (request: IncomingMessage, response: ServerResponse, next: (error?: unknown) => void) => void;

/** Behind what parses bodies by streams of its own, such as uploads: these may lose the session. Throws OptionError. */
export function sessionCookies(db: Sessions, options: SessionCookieOptions): Middleware {
  const cookies = new SessionCookie(options);
  return (request, response, next) => {
    const incoming = cookies.read(request.headers.cookie);
    const done = db.session(incoming, async (session) => {
      putCookie(response, () => cookies.changed(session, incoming), next);
      next();
      await closed(response);
    });
    done.catch(next);
  };
}
