/** The list of certificates for people: the verdict first, then one line each. Pure. */
import { type CertificateRecord, holderOf } from '../core/certificates.ts';
import { ownCertificatesOf } from '../core/own-certificates.ts';
import type { RegisteredCertificate } from '../core/registered.ts';
import type { KnownCertificate } from '../core/revocation.ts';
import { isRenewalLate } from '../core/rules/certificate-renewal.ts';
import type { Spec } from '../core/spec.ts';
import { isEnding } from '../pki/registered-ending.ts';
import { ageText, columns, countText, oneLine } from './words.ts';

/**
 * `late`: its agent should have renewed it. `withdrawn`: an own one that is declared no more: it ends by itself.
 * `ending`: of others, and somebody should renew it.
 */
export type CertificateState = 'good' | 'late' | 'expired' | 'replaced' | 'withdrawn' | 'ending' | 'revoked';

export interface ListedCertificate extends Omit<KnownCertificate, 'kind' | 'where'> {
  readonly kind: CertificateRecord['kind'] | 'registered';
  /** A node; of a registered one what was said of it. */
  readonly where: string | null;
  readonly state: CertificateState;
}

export interface KnownCertificates {
  readonly records: readonly KnownCertificate[];
  readonly registered: readonly RegisteredCertificate[];
  /** `null`: not known. */
  readonly declared: Spec | null;
}

/** Soonest to expire first; `replaced`: its holder has a newer one. One that was revoked is told as that until it ends. */
export function judgeCertificates(
  { declared, records, registered }: KnownCertificates,
  nowMs: number,
): readonly ListedCertificate[] {
  const newest = new Map<string, CertificateRecord>();
  for (const record of records) {
    const known = newest.get(holderOf(record));
    if (known === undefined || known.issuedAt < record.issuedAt) newest.set(holderOf(record), record);
  }
  const issued = records.map((record): ListedCertificate => {
    if (record.revoked !== undefined && Date.parse(record.expiresAt) > nowMs) return { ...record, state: 'revoked' };
    const isNewest = newest.get(holderOf(record)) === record;
    const state = isWithdrawn(record, declared) ? 'withdrawn' : stateOf(record, nowMs);
    // Nobody takes a person's former one away: it opens the same doors until it ends.
    const isOpen = isPersons(record) && state === 'good';
    return { ...record, state: isNewest || isOpen ? state : 'replaced' };
  });
  return [...issued, ...registered.map((one) => listedOf(one, nowMs))].sort((a, b) =>
    a.expiresAt < b.expiresAt ? -1 : 1,
  );
}

function isPersons({ kind }: CertificateRecord): boolean {
  return kind === 'operator' || kind === 'viewer';
}

function listedOf(one: RegisteredCertificate, nowMs: number): ListedCertificate {
  const { addresses, by, expiresAt, hostNames, issuedAt, issuer, keyType, name, serial, where } = one;
  const ends = isEnding(one, nowMs) ? 'ending' : 'good';
  return {
    ...{ kind: 'registered', name, where, serial, hostNames, addresses, issuer, keyType, issuedAt, expiresAt },
    ...{ requestedBy: by, issuedBy: null, state: Date.parse(expiresAt) <= nowMs ? 'expired' : ends },
  };
}

/** Its agent has taken its files away; the certificate itself is good until it ends. */
function isWithdrawn({ kind, name, where }: CertificateRecord, declared: Spec | null): boolean {
  if (kind !== 'own' || declared === null || where === null) return false;
  return !ownCertificatesOf(declared, where).some((one) => one.name === name);
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
    oneLine(one.where ?? '-'),
    `issued ${one.issuedAt.slice(0, 19)}Z`,
    one.revoked === undefined
      ? `expires ${one.expiresAt.slice(0, 19)}Z`
      : `revoked ${one.revoked.at.slice(0, 19)}Z by ${one.revoked.by}`,
    one.keyType,
    `by ${oneLine(one.issuer)}`,
    `for ${one.requestedBy}`,
    [...one.hostNames, ...one.addresses].join(' '),
    one.serial,
  ]);
  return [verdict(current, nowMs), ...columns(rows)];
}

/** Nobody waits for the end of these. */
const over: readonly CertificateState[] = ['expired', 'withdrawn', 'revoked'];

function verdict(current: readonly ListedCertificate[], nowMs: number): string {
  if (current.length === 0) return 'No certificate is remembered.';
  const next = current.find(({ state }) => !over.includes(state));
  const named = (state: CertificateState) =>
    current.filter((one) => one.state === state).map(({ kind, name }) => `${kind} ${name}`);
  const [late, ending, expired, revoked] = [named('late'), named('ending'), named('expired'), named('revoked')];
  const soon =
    next === undefined
      ? ''
      : ` The next to expire: ${next.kind} ${next.name}, in ${ageText(Date.parse(next.expiresAt) - nowMs)}.`;
  const delays = late.length === 0 ? ' None is late.' : ` Late: ${late.join(', ')}.`;
  const ends = expired.length === 0 ? '' : ` Expired: ${expired.join(', ')}.`;
  const endings = ending.length === 0 ? '' : ` Ending, and not the cluster's to renew: ${ending.join(', ')}.`;
  const gone = revoked.length === 0 ? '' : ` Revoked: ${revoked.join(', ')}.`;
  return `${countText(current.length, 'certificate')}.${soon}${delays}${endings}${ends}${gone}`;
}
