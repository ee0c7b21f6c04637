/**
 * Puts a cookie into a response of `node:http` before its headers go out, also when it has to be waited for.
 *
 * Invariant: whatever the handler called is done once, in its order, by the response's own methods; the first of these that
 * would send headers waits for the cookie, and the others behind it. Until then the response looks as if it were sent
 * (`headersSent`, `writableEnded`), and a writer is asked to wait (`write` answers false, `drain` follows).
 */
import type { ServerResponse } from 'node:http';

/** The value of a header `Set-Cookie`; `null`: none. */
type Cookie = string | null;
type Method = 'writeHead' | 'write' | 'end' | 'flushHeaders';

interface Call {
  readonly method: Method;
  readonly args: readonly unknown[];
}

/**
 * `cookie` is asked once, when headers are about to go out. `failed` is told what a call that had to wait threw, since
 * its caller is gone by then.
 */
export function putCookie(
  response: ServerResponse,
  cookie: () => Cookie | Promise<Cookie>,
  failed: (error: unknown) => void,
): void {
  const held = new HeldResponse(response, cookie, failed);
  response.writeHead = (...args: readonly unknown[]) => {
    held.called({ method: 'writeHead', args });
    return response;
  };
  response.write = (...args: readonly unknown[]) => held.called({ method: 'write', args }) === true;
  response.end = (...args: readonly unknown[]) => {
    held.called({ method: 'end', args });
    return response;
  };
  response.flushHeaders = () => {
    held.called({ method: 'flushHeaders', args: [] });
  };
}

class HeldResponse {
  readonly #response: ServerResponse;
  readonly #own: { readonly [M in Method]: ServerResponse[M] };
  readonly #ask: () => Cookie | Promise<Cookie>;
  readonly #failed: (error: unknown) => void;
  #phase: 'open' | 'asking' | 'released' = 'open';
  #waiting: Call[] = [];
  /** Known, and not yet among the headers. */
  #cookie: Cookie = null;

  constructor(response: ServerResponse, ask: () => Cookie | Promise<Cookie>, failed: (error: unknown) => void) {
    const { end, flushHeaders, write, writeHead } = response;
    this.#response = response;
    this.#own = { writeHead, write, end, flushHeaders };
    this.#ask = ask;
    this.#failed = failed;
  }

  /** What the method answers; `false` for one that has to wait. */
  called(call: Call): unknown {
    if (this.#phase === 'open') this.#open();
    if (this.#phase === 'released') return this.#perform(call);
    this.#waiting.push(call);
    this.#pretend('headersSent');
    if (call.method === 'end') this.#pretend('writableEnded');
    return false;
  }

  #open(): void {
    const cookie = this.#response.headersSent ? null : this.#ask();
    if (cookie === null || typeof cookie === 'string') {
      this.#cookie = cookie;
      this.#phase = 'released';
      return;
    }
    this.#phase = 'asking';
    cookie.then((known) => this.#release(known)).catch(this.#failed);
  }

  #release(cookie: Cookie): void {
    Reflect.deleteProperty(this.#response, 'headersSent');
    Reflect.deleteProperty(this.#response, 'writableEnded');
    this.#cookie = cookie;
    this.#phase = 'released';
    let isDrained = false;
    for (const call of this.#waiting.splice(0)) {
      const answer = this.#perform(call);
      if (call.method === 'write') isDrained = answer === true;
      if (call.method === 'end') isDrained = false;
    }
    // Who was told to wait waits for this; Node says it by itself only when its own buffer was full.
    if (isDrained) this.#response.emit('drain');
  }

  #perform({ method, args }: Call): unknown {
    return Reflect.apply(this.#own[method], this.#response, this.#withCookie(method, args));
  }

  #withCookie(method: Method, args: readonly unknown[]): readonly unknown[] {
    const cookie = this.#cookie;
    this.#cookie = null;
    if (cookie === null || this.#response.headersSent) return args;
    if (method === 'writeHead') {
      const replaced = withCookieAmong(args, cookie);
      if (replaced !== null) return replaced;
    }
    this.#response.appendHeader('Set-Cookie', cookie);
    return args;
  }

  #pretend(property: 'headersSent' | 'writableEnded'): void {
    Object.defineProperty(this.#response, property, { value: true, configurable: true });
  }
}

/** Cookies that `writeHead` is given replace those that were set before; `null`: it is given none. */
function withCookieAmong(args: readonly unknown[], cookie: string): readonly unknown[] | null {
  const at = typeof args[1] === 'string' ? 2 : 1;
  const headers = args[at];
  if (typeof headers !== 'object' || headers === null) return null;
  if (Array.isArray(headers)) {
    const list: readonly unknown[] = headers;
    return list.some(isSetCookie) ? args.with(at, [...list, 'Set-Cookie', cookie]) : null;
  }
  const entries: [string, unknown][] = Object.entries(headers);
  const found = entries.find(([name]) => isSetCookie(name));
  if (found === undefined) return null;
  const [name, value] = found;
  return args.with(at, { ...headers, [name]: [value, cookie].flat() });
}

function isSetCookie(name: unknown): boolean {
  return typeof name === 'string' && name.toLowerCase() === 'set-cookie';
}
