/**
 * Reads what a request says: its route, its query, its body.
 *
 * Invariant: a body is never larger in memory than its limit, and nothing unchecked leaves this module but through a schema.
 */
import type { IncomingMessage } from 'node:http';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { type RouteName, routes } from './contract/routes.ts';
import { HttpError } from './failure.ts';

const bodyLimitBytes = 1024 * 1024;

export interface Target {
  readonly route: RouteName;
  /** The variable parts of the path, in order. */
  readonly parameters: readonly string[];
  readonly query: Readonly<Record<string, string>>;
}

interface Pattern {
  readonly name: RouteName;
  readonly method: string;
  readonly expression: RegExp;
}

const isRouteName = (name: string): name is RouteName => Object.hasOwn(routes, name);

const patterns: readonly Pattern[] = Object.keys(routes)
  .filter(isRouteName)
  .map((name) => {
    const { method, path } = routes[name];
    return { name, method, expression: new RegExp(`^${path.replace(/:\w+/g, '([^/]+)')}$`) };
  });

/** Throws NOT_FOUND, REQUEST_INVALID. */
export function targetOf(method: string, url: string): Target {
  const cut = url.indexOf('?');
  const path = cut === -1 ? url : url.slice(0, cut);
  const fitting = patterns.filter(({ expression }) => expression.test(path));
  const pattern = fitting.find((one) => one.method === method);
  if (pattern === undefined) {
    if (fitting.length > 0) throw new HttpError(405, `${path} takes ${fitting.map((one) => one.method).join(' or ')}`);
    throw new UnderstudyError('NOT_FOUND', 'there is no such path', { hint: 'are both sides of the same version?' });
  }
  const encoded = pattern.expression.exec(path)?.slice(1) ?? [];
  return { route: pattern.name, parameters: encoded.map(decode), query: queryOf(cut === -1 ? '' : url.slice(cut + 1)) };
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new UnderstudyError('REQUEST_INVALID', 'the path has a broken percent sign');
  }
}

function queryOf(text: string): Readonly<Record<string, string>> {
  return Object.fromEntries(new URLSearchParams(text));
}

/** `undefined` when there is none. Throws `HttpError`; gives up when the connection ends. */
export async function readJsonBody(request: IncomingMessage, limitBytes: number = bodyLimitBytes): Promise<unknown> {
  if (Number(request.headers['content-length'] ?? 0) > limitBytes) throw tooLarge(limitBytes);
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of withoutDestroying(request)) {
    size += chunk.length;
    if (size > limitBytes) throw tooLarge(limitBytes);
    chunks.push(chunk);
  }
  if (size === 0) return undefined;
  if (!/^application\/json\s*(?:;|$)/i.test(request.headers['content-type'] ?? '')) {
    throw new HttpError(415, 'a body must be application/json');
  }
  try {
    // Broken UTF-8 is refused, not mended.
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks)));
    return value;
  } catch {
    throw new UnderstudyError('REQUEST_INVALID', 'the body is not JSON');
  }
}

/** A request that is left half read must stay alive until its answer is sent. */
function withoutDestroying(request: IncomingMessage): AsyncIterable<Buffer> {
  return request.iterator({ destroyOnReturn: false });
}

function tooLarge(limitBytes: number): HttpError {
  return new HttpError(413, `a body may have ${limitBytes} bytes at most`);
}
