/** Registered certificates that end: the cluster can't renew them, and somebody may have forgotten. */
import type { DoctorFinding } from '../api/contract/looks.ts';
import type { RegisteredCertificate } from '../core/registered.ts';
import { isEnding, registeredText } from '../pki/registered-ending.ts';
import { bad, ok } from './finding.ts';

const check = 'registered certificates';

/** `nowMs`: wall clock. */
export function checkRegistered(all: readonly RegisteredCertificate[], nowMs: number): readonly DoctorFinding[] {
  const ending = all.filter((one) => isEnding(one, nowMs));
  if (all.length > 0 && ending.length === 0) return [ok(check, `${all.length} registered, and none ends soon`)];
  return ending.map((one) =>
    bad(
      check,
      Date.parse(one.expiresAt) <= nowMs ? 'failure' : 'warning',
      registeredText(one, nowMs),
      `renew it where it was issued, and register the new one; or understudy certificates forget ${one.name}`,
    ),
  );
}
