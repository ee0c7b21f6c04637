/**
 * When a certificate is renewed, and when that is tried again. Pure: time and chance are arguments.
 *
 * Two thirds of its life leave a third for whatever is broken to be mended. Renewals are spread, so that a cluster whose
 * certificates were made together does not renew them together for ever.
 */
export interface CertificateLife {
  /** Wall clock. Not when its validity begins: that is before it was issued. */
  readonly issuedAtMs: number;
  readonly endsAtMs: number;
}

const renewedAfter = 2 / 3;
const spread = 1 / 15;
const triesPerRest = 8;
const soonestMs = 1_000;
const latestMs = 60 * 60_000;

/**
 * `declaredLifeMs`: one that lives longer than is declared by now is renewed as if it did not; `null`: not known.
 * `draw`: from 0 to 1, the same for one certificate.
 */
export function renewalDueMs(life: CertificateLife, declaredLifeMs: number | null, draw: number): number {
  const lifeMs = Math.min(life.endsAtMs - life.issuedAtMs, declaredLifeMs ?? Number.POSITIVE_INFINITY);
  return life.issuedAtMs + Math.max(0, lifeMs) * (renewedAfter - spread * draw);
}

/** After a failure. What is left of the life is divided: often when it is short, at most once a second, once an hour at least. */
export function renewalRetryMs(life: CertificateLife, nowMs: number, draw: number): number {
  const restMs = Math.max(0, life.endsAtMs - nowMs);
  const pauseMs = Math.min(latestMs, Math.max(soonestMs, restMs / triesPerRest));
  return pauseMs * (0.75 + 0.5 * draw);
}

/** Is it later than it should be with an agent that does its work? */
export function isRenewalLate(life: CertificateLife, nowMs: number): boolean {
  return nowMs > life.issuedAtMs + (life.endsAtMs - life.issuedAtMs) * ((1 + renewedAfter) / 2);
}
