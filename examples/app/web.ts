/**
 * A web page: reads go on while nobody may write, whoever orders sees the order on the next page, and who can't order right
 * now is told so at once.
 *
 *   GET  /                 the last orders
 *   POST /orders/ARTICLE   order it
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type ClusterPool, ReadOnlyModeError, signToken, verifyToken } from '@understudy/client';

const cookieName = 'seen';

export function webServer(db: ClusterPool, secret: string): Server {
  const signing = { secrets: [secret], scope: 'shop' };

  async function page(): Promise<string> {
    const { rows } = await db.read().query<{ article: string }>('SELECT article FROM orders ORDER BY id DESC LIMIT 10');
    const banner = db.status().mode === 'read-only' ? '<p>We are moving house: ordering is back in a moment.</p>' : '';
    return `${banner}<ul>${rows.map(({ article }) => `<li>${article}</li>`).join('')}</ul>`;
  }

  async function order(article: string): Promise<void> {
    await db.tx((t) => t.query('INSERT INTO orders (article) VALUES ($1)', [article]));
    // It does not matter whether this one is counted.
    const count = 'INSERT INTO visits VALUES ($1, 1) ON CONFLICT (article) DO UPDATE SET n = visits.n + 1';
    await db.tx((t) => t.query(count, [article]), { onReadOnly: 'drop' });
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const cookie = request.headers.cookie?.split('; ').find((each) => each.startsWith(`${cookieName}=`));
    const token = verifyToken(cookie?.slice(cookieName.length + 1), signing);
    await db.session(token, async (session) => {
      const article = /^\/orders\/([a-z]+)$/.exec(request.url ?? '')?.[1];
      if (request.method === 'POST' && article !== undefined) {
        await order(article);
        const seen = signToken(await session.token(), signing);
        response.setHeader('Set-Cookie', `${cookieName}=${seen}; HttpOnly; SameSite=Lax; Path=/; Max-Age=300`);
        response.writeHead(303, { Location: '/' }).end();
      } else {
        response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' }).end(await page());
      }
    });
  }

  return createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      const isReadOnly = error instanceof ReadOnlyModeError;
      response.writeHead(isReadOnly ? 503 : 500, isReadOnly ? { 'Retry-After': '10' } : {});
      response.end(
        isReadOnly ? 'Ordering is not possible right now. Please try again in a moment.' : 'Something broke.',
      );
    });
  });
}
