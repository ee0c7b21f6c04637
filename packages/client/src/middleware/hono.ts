/**
 * Sessions that follow a user from request to request, as middleware of Hono on Node.js.
 *
 * Invariant: a request is one session of the pool, until its response is made; what is written while its body streams
 * afterwards is of no session.
 */
import { SessionCookie, type SessionCookieOptions, type Sessions } from './cookie.ts';

export type { SessionCookieOptions } from './cookie.ts';

interface ContextLike {
  readonly req: { header(name: string): string | undefined };
  header(name: string, value: string, options: { readonly append: boolean }): void;
}

/** Throws OptionError. */
export function sessionCookies(
  db: Sessions,
  options: SessionCookieOptions,
): (context: ContextLike, next: () => Promise<void>) => Promise<void> {
  const cookies = new SessionCookie(options);
  return async (context, next) => {
    const incoming = cookies.read(context.req.header('cookie'));
    const cookie = await db.session(incoming, async (session) => {
      await next();
      return await cookies.changed(session, incoming);
    });
    if (cookie !== null) context.header('Set-Cookie', cookie, { append: true });
  };
}
