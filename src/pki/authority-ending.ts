/** When it is told that a part of the authority ends. Pure. */
import type { AuthorityPartStatus } from '../core/authority.ts';

const dayMs = 24 * 60 * 60_000;
/** Long enough for a person who is away to come back, and to ask where the root's key is. */
export const authorityWarningMs = 60 * dayMs;

/** Those that a person should renew now. */
export function endingParts(parts: readonly AuthorityPartStatus[], nowMs: number): readonly AuthorityPartStatus[] {
  return parts.filter(({ endsAt }) => Date.parse(endsAt) < nowMs + authorityWarningMs);
}

/** As a sentence without a full stop. */
export function endingText({ part, endsAt }: AuthorityPartStatus, nowMs: number): string {
  const named = part === 'root' ? 'the root of the authority' : 'the issuing authority';
  const restMs = Date.parse(endsAt) - nowMs;
  if (restMs <= 0) return `${named} ended at ${endsAt.slice(0, 10)}`;
  const days = Math.floor(restMs / dayMs);
  return `${named} ends in ${days} day${days === 1 ? '' : 's'}, at ${endsAt.slice(0, 10)}`;
}
