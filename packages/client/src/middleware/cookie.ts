/**
 * A session's token as a signed cookie, so that a user's next request sees what this one wrote, whichever process serves it.
 *
 * Invariant: a cookie that is forged, over its time, of another scope or no cookie at all is none, and never an error. What
 * it costs a response is bounded: when the primary does not say in time where it is, the response goes without a cookie.
 * Signed together with its end, so that a stolen or forgotten one is of no use for longer than a new one.
 */
import type { ClusterPool } from '../cluster-pool.ts';
import { OptionError } from '../errors.ts';
import { duration } from '../options.ts';
import { formatToken, type SigningOptions, signToken, verifyToken } from '../positions/token.ts';
import type { SessionHandle } from '../sessions/session-handle.ts';

export interface SessionCookieOptions extends SigningOptions {
  /** Default: `understudy`. */
  readonly name?: string;
  /** How long it is good, in seconds: longer than replicas take to catch up. Default: 300. */
  readonly maxAgeS?: number;
  /** Sent over HTTPS only. Default: true; false for development without TLS. */
  readonly secure?: boolean;
  /** How long a response waits for the primary to say where it is, in ms; afterwards it goes without a cookie. Default: 1,000. */
  readonly withinMs?: number;
}

/** What runs a request as one user's. */
export type Sessions = Pick<ClusterPool, 'session'>;

const nothingSeen = formatToken({ position: null, pinnedUntilMs: null, isOpenEnded: false });
/** RFC 6265, 4.1.1. */
const cookieName = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

export class SessionCookie {
  readonly #signing: SigningOptions;
  readonly #name: string;
  readonly #maxAgeS: number;
  readonly #attributes: string;
  readonly #withinMs: number;
  readonly #wallMs: () => number;

  /** Throws OptionError. */
  constructor(options: SessionCookieOptions, wallMs: () => number = Date.now) {
    const { name = 'understudy', scope = '', secrets, secure = true } = options;
    if (!cookieName.test(name)) throw new OptionError('name', 'the name of a cookie');
    this.#signing = { secrets: [...secrets], scope };
    this.#name = name;
    this.#maxAgeS = Math.floor(duration('maxAgeS', options.maxAgeS, 300, 1));
    this.#withinMs = duration('withinMs', options.withinMs, 1_000, 0);
    this.#attributes = `Path=/; Max-Age=${this.#maxAgeS}; HttpOnly; SameSite=Lax${secure ? '; Secure' : ''}`;
    this.#wallMs = wallMs;
    // Wrong secrets are found now, and not by the first request.
    verifyToken('', this.#signing);
  }

  /** The token in a request's header `Cookie`; `null`: there is none that is good. */
  read(header: string | null | undefined): string | null {
    for (const pair of header?.split(';') ?? []) {
      const at = pair.indexOf('=');
      if (at < 0 || pair.slice(0, at).trim() !== this.#name) continue;
      const token = this.#verified(pair.slice(at + 1).trim());
      if (token !== null) return token;
    }
    return null;
  }

  /**
   * The header `Set-Cookie` with what the session has seen; `null`: no more than what came in. At once where nobody has to
   * be asked. Never rejects.
   */
  changed(session: SessionHandle, incoming: string | null): string | null | Promise<string | null> {
    const known = session.known();
    return known === null ? this.#asked(session, incoming) : this.#headerOf(known, incoming);
  }

  async #asked(session: SessionHandle, incoming: string | null): Promise<string | null> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<null>((resolve) => {
      timer = setTimeout(resolve, this.#withinMs, null);
    });
    try {
      const token = await Promise.race([session.token(), late]);
      return token === null ? null : this.#headerOf(token, incoming);
    } catch {
      // The response is worth more than its cookie.
      return null;
    } finally {
      clearTimeout(timer);
    }
  }

  #headerOf(token: string, incoming: string | null): string | null {
    if (token === (incoming ?? nothingSeen)) return null;
    const ends = Math.ceil(this.#wallMs() / 1_000) + this.#maxAgeS;
    return `${this.#name}=${ends}.${signToken(token, this.#until(ends))}; ${this.#attributes}`;
  }

  #verified(value: string): string | null {
    const at = value.indexOf('.');
    const digits = value.slice(0, Math.max(at, 0));
    if (!/^\d{1,12}$/.test(digits) || Number(digits) * 1_000 <= this.#wallMs()) return null;
    return verifyToken(value.slice(at + 1), this.#until(Number(digits)));
  }

  #until(ends: number): SigningOptions {
    return { ...this.#signing, scope: `${this.#signing.scope ?? ''}\n${ends}` };
  }
}
