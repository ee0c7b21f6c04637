import { describe, expect, it } from 'vitest';
import type { CertificateRecord } from '../core/certificates.ts';
import { certificateLines, judgeCertificates } from './certificates-text.ts';

const nowMs = Date.parse('2026-11-21T12:00:00Z');
const hourMs = 3_600_000;

function record(name: string, issuedHoursAgo: number, lifeHours: number, change: Partial<CertificateRecord> = {}) {
  const issuedMs = nowMs - issuedHoursAgo * hourMs;
  return {
    serial: `${name}${issuedHoursAgo}`.toUpperCase(),
    ...{ kind: 'node', name, hostNames: [`${name}.psf.io`], addresses: ['10.0.0.1'], keyType: 'P-256' },
    ...{ issuer: 'psf issuing authority', where: name, requestedBy: name, issuedBy: 'db1' },
    issuedAt: new Date(issuedMs).toISOString(),
    expiresAt: new Date(issuedMs + lifeHours * hourMs).toISOString(),
    ...change,
  } satisfies CertificateRecord;
}

describe('the list of certificates', () => {
  it('says how many there are, which is next, and what is late or expired', () => {
    const records = [record('db1', 1, 12), record('db1', 12, 12), record('db2', 11, 12), record('db3', 20, 12)];
    const [verdict, ...lines] = certificateLines(judgeCertificates(records, nowMs), nowMs, false);
    expect(verdict).toBe('3 certificates. The next to expire: node db2, in 60 min. Late: node db2. Expired: node db3.');
    expect(lines.map((line) => line.split(/ {2,}/).slice(0, 3))).toEqual([
      ['expired', 'node', 'db3'],
      ['late', 'node', 'db2'],
      ['good', 'node', 'db1'],
    ]);
    expect(certificateLines(judgeCertificates(records, nowMs), nowMs, true)).toHaveLength(5);
  });

  it('takes nobody for late who renews his own', () => {
    const people = [record('kim', 11, 12, { kind: 'operator' })];
    expect(judgeCertificates(people, nowMs)).toMatchObject([{ state: 'good' }]);
    expect(certificateLines([], nowMs, false)).toEqual(['No certificate is remembered.']);
  });
});
