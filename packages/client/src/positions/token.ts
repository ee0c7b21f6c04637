/**
 * What a session has seen, as text that goes with the user from one request to the next.
 *
 * Invariant: a text that was not signed by one of the secrets, or for another scope, is `null`, never an error that a
 * stranger's cookie could raise; the comparison takes as long for every wrong one. It holds no secret: who sends an older
 * one of his own reads his own past.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { OptionError } from '../errors.ts';
import { formatLsn, parseLsn } from './lsn.ts';
import type { Position } from './position.ts';

export interface Token {
  /** Where the session's last write ends; `null`: it wrote nothing, or is pinned by time alone. */
  readonly position: Position | null;
  /** Until then reads stay on the primary, ms since 1970; `null`: not pinned. */
  readonly pinnedUntilMs: number | null;
  /** The session wrote behind `position`, and nobody said where that ends. */
  readonly isOpenEnded: boolean;
}

const pattern = /^u1\.(\d{1,10})\.([0-9A-F]{1,8}-[0-9A-F]{1,8})?\.(\d{0,15})(o?)$/;
const latestPin = 999_999_999_999_999;

/** Such as `u1.4.0-16B3748.`, without signs that a cookie or a URL would have to escape. */
export function formatToken({ isOpenEnded, position, pinnedUntilMs }: Token): string {
  const at = position === null ? '0.' : `${position.timeline}.${formatLsn(position.lsn).replace('/', '-')}`;
  const pinned = pinnedUntilMs === null ? '' : Math.ceil(Math.min(pinnedUntilMs, latestPin));
  return `u1.${at}.${pinned}${isOpenEnded ? 'o' : ''}`;
}

/** `null` for anything that `formatToken` did not make. */
export function parseToken(text: string): Token | null {
  const found = pattern.exec(text);
  if (found === null) return null;
  const [, timeline = '', at, pinned = '', open = ''] = found;
  const lsn = at === undefined ? null : parseLsn(at.replace('-', '/'));
  return {
    position: lsn === null ? null : { timeline: Number(timeline), lsn },
    pinnedUntilMs: pinned === '' ? null : Number(pinned),
    isOpenEnded: open !== '',
  };
}

export interface SigningOptions {
  /** The first one signs; all are good, so that a secret can be replaced. At least 16 characters each. */
  readonly secrets: readonly string[];
  /** Tokens of one scope are no good in another, such as two clusters behind one domain. Default: ''. */
  readonly scope?: string;
}

/** `<token>.<signature>`: HMAC-SHA-256, base64url. Throws OptionError without a secret that is long enough. */
export function signToken(token: string, options: SigningOptions): string {
  const [secret] = checkedSecrets(options);
  return `${token}.${signature(token, secret, options.scope)}`;
}

/** The token, or `null` when it is none of ours. */
export function verifyToken(text: string | null | undefined, options: SigningOptions): string | null {
  const secrets = checkedSecrets(options);
  const at = text?.lastIndexOf('.') ?? -1;
  if (text === null || text === undefined || at < 0) return null;
  const token = text.slice(0, at);
  const given = Buffer.from(text.slice(at + 1));
  let isGood = false;
  for (const secret of secrets) {
    const wanted = Buffer.from(signature(token, secret, options.scope));
    if (given.length === wanted.length && timingSafeEqual(given, wanted)) isGood = true;
  }
  return isGood && parseToken(token) !== null ? token : null;
}

function checkedSecrets({ secrets }: SigningOptions): readonly [string, ...string[]] {
  const [first, ...rest] = secrets;
  if (first === undefined || [first, ...rest].some((secret) => secret.length < 16)) {
    throw new OptionError('secrets', 'one or more texts of at least 16 characters');
  }
  return [first, ...rest];
}

function signature(token: string, secret: string, scope = ''): string {
  return createHmac('sha256', secret).update(`${scope}\n${token}`).digest('base64url');
}
