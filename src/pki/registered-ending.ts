/** When it is told that a certificate of others ends. Pure. */
import type { RegisteredCertificate } from '../core/registered.ts';

const dayMs = 24 * 60 * 60_000;
/** Whoever renews one in time has done it by then: those of 90 days are usually renewed 30 days before their end. */
const warnedAtMostMs = 21 * dayMs;
const warnedRest = 1 / 4;

/** Should somebody look after it, or is it over? */
export function isEnding(
  { issuedAt, expiresAt }: Pick<RegisteredCertificate, 'issuedAt' | 'expiresAt'>,
  nowMs: number,
): boolean {
  const endsAtMs = Date.parse(expiresAt);
  const lifeMs = endsAtMs - Date.parse(issuedAt);
  return nowMs > endsAtMs - Math.min(warnedAtMostMs, lifeMs * warnedRest);
}

/** As a sentence without a full stop. */
export function registeredText(
  { expiresAt, name, where }: Pick<RegisteredCertificate, 'name' | 'where' | 'expiresAt'>,
  nowMs: number,
): string {
  const restMs = Date.parse(expiresAt) - nowMs;
  const days = Math.floor(restMs / dayMs);
  const place = where === null ? '' : ` (${where})`;
  const named = `the registered certificate ${name}${place}`;
  if (restMs <= 0) return `${named} ended at ${expiresAt.slice(0, 10)}`;
  return `${named} ends in ${days} day${days === 1 ? '' : 's'}, at ${expiresAt.slice(0, 10)}`;
}
