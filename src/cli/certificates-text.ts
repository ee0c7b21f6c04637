/** The list of certificates for people: the verdict first, then one line each. Pure. */
import { type CertificateRecord, holderOf } from '../core/certificates.ts';
import { isRenewalLate } from '../core/rules/certificate-renewal.ts';
import { ageText, columns, countText } from './words.ts';

export type CertificateState = 'good' | 'late' | 'expired' | 'replaced';

export interface ListedCertificate extends CertificateRecord {
  readonly state: CertificateState;
}

/** Soonest to expire first; `replaced`: its holder has a newer one. */
export function judgeCertificates(records: readonly CertificateRecord[], nowMs: number): readonly ListedCertificate[] {
  const newest = new Map<string, CertificateRecord>();
  for (const record of records) {
    const known = newest.get(holderOf(record));
    if (known === undefined || known.issuedAt < record.issuedAt) newest.set(holderOf(record), record);
  }
  return records
    .map(
      (record) =>
        ({ ...record, state: newest.get(holderOf(record)) === record ? stateOf(record, nowMs) : 'replaced' }) as const,
    )
    .sort((a, b) => (a.expiresAt < b.expiresAt ? -1 : 1));
}

/** People renew theirs themselves, when they like; only what agents renew can be late. */
function stateOf({ kind, issuedAt, expiresAt }: CertificateRecord, nowMs: number): CertificateState {
  const life = { issuedAtMs: Date.parse(issuedAt), endsAtMs: Date.parse(expiresAt) };
  if (life.endsAtMs <= nowMs) return 'expired';
  return kind !== 'operator' && kind !== 'viewer' && isRenewalLate(life, nowMs) ? 'late' : 'good';
}

/** `isWhole`: with those that were replaced. */
export function certificateLines(
  listed: readonly ListedCertificate[],
  nowMs: number,
  isWhole: boolean,
): readonly string[] {
  const current = listed.filter(({ state }) => state !== 'replaced');
  const shown = isWhole ? listed : current;
  const rows = shown.map((one) => [
    one.state,
    one.kind,
    one.name,
    one.where ?? '-',
    `issued ${one.issuedAt.slice(0, 19)}Z`,
    `expires ${one.expiresAt.slice(0, 19)}Z`,
    one.keyType,
    `by ${one.issuer}`,
    `for ${one.requestedBy}`,
    [...one.hostNames, ...one.addresses].join(' '),
    one.serial,
  ]);
  return [verdict(current, nowMs), ...columns(rows)];
}

function verdict(current: readonly ListedCertificate[], nowMs: number): string {
  if (current.length === 0) return 'No certificate is remembered.';
  const next = current.find(({ state }) => state !== 'expired');
  const named = (state: CertificateState) =>
    current.filter((one) => one.state === state).map(({ kind, name }) => `${kind} ${name}`);
  const [late, expired] = [named('late'), named('expired')];
  const soon =
    next === undefined
      ? ''
      : ` The next to expire: ${next.kind} ${next.name}, in ${ageText(Date.parse(next.expiresAt) - nowMs)}.`;
  const delays = late.length === 0 ? ' None is late.' : ` Late: ${late.join(', ')}.`;
  const ends = expired.length === 0 ? '' : ` Expired: ${expired.join(', ')}.`;
  return `${countText(current.length, 'certificate')}.${soon}${delays}${ends}`;
}
