import { describe, expect, it } from 'vitest';
import { exampleRecords } from '../../test/fixtures/records.ts';
import { specOf } from '../../test/fixtures/spec.ts';
import type { KnownCertificate } from '../core/revocation.ts';
import { certificateLines, judgeCertificates, type KnownCertificates } from './certificates-text.ts';

const nowMs = Date.parse('2026-11-21T12:00:00Z');
const hourMs = 3_600_000;

function record(name: string, issuedHoursAgo: number, lifeHours: number, change: Partial<KnownCertificate> = {}) {
  const issuedMs = nowMs - issuedHoursAgo * hourMs;
  return {
    serial: `${name}${issuedHoursAgo}`.toUpperCase(),
    ...{ kind: 'node', name, hostNames: [`${name}.psf.io`], addresses: ['10.0.0.1'], keyType: 'P-256' },
    ...{ issuer: 'psf issuing authority', where: name, requestedBy: name, issuedBy: 'db1' },
    issuedAt: new Date(issuedMs).toISOString(),
    expiresAt: new Date(issuedMs + lifeHours * hourMs).toISOString(),
    ...change,
  } satisfies KnownCertificate;
}

const judged = (records: readonly KnownCertificate[], others: Partial<KnownCertificates> = {}) =>
  judgeCertificates({ records, registered: [], declared: null, ...others }, nowMs);

describe('the list of certificates', () => {
  it('says how many there are, which is next, and what is late or expired', () => {
    const records = [record('db1', 1, 12), record('db1', 12, 12), record('db2', 11, 12), record('db3', 20, 12)];
    const [verdict, ...lines] = certificateLines(judged(records), nowMs, false);
    expect(verdict).toBe('3 certificates. The next to expire: node db2, in 60 min. Late: node db2. Expired: node db3.');
    expect(lines.map((line) => line.split(/ {2,}/).slice(0, 3))).toEqual([
      ['expired', 'node', 'db3'],
      ['late', 'node', 'db2'],
      ['good', 'node', 'db1'],
    ]);
    expect(certificateLines(judged(records), nowMs, true)).toHaveLength(5);
  });

  it('takes an own certificate that is declared no more for withdrawn, and not for late', () => {
    const own = record('web.example.org', 11, 12, { kind: 'own', where: 'web1' });
    const files = { owner: null, group: null, mode: '0600' as const };
    const spec = specOf(['db1', 'web1']);
    const nodes = spec.nodes.map((node) => (node.name === 'web1' ? { ...node, roles: ['web'] } : node));
    const declaring = { name: 'web.example.org', lifeMs: 12 * hourMs, roles: ['web'], reload: null, files };
    const stateUnder = (declared: KnownCertificates['declared']) => judged([own], { declared })[0]?.state;
    expect(stateUnder({ ...spec, nodes, certificates: [declaring] })).toBe('late');
    expect(stateUnder({ ...spec, nodes, certificates: [] })).toBe('withdrawn');
    expect(stateUnder(null)).toBe('late');
    const withdrawn = judged([own], { declared: spec });
    expect(certificateLines(withdrawn, nowMs, false)[0]).toBe('1 certificate. None is late.');
  });

  it('lists what was registered, and names what ends', () => {
    const soon = new Date(nowMs + 5 * 24 * hourMs).toISOString();
    const registered = [exampleRecords.registered, { ...exampleRecords.registered, name: 'pay', expiresAt: soon }];
    const listed = judged([], { registered });
    expect(listed.map(({ kind, name, state }) => [kind, name, state])).toEqual([
      ['registered', 'pay', 'ending'],
      ['registered', 'shop.example.org', 'good'],
    ]);
    expect(certificateLines(listed, nowMs, false)[0]).toContain("not the cluster's to renew: registered pay.");
  });

  it('shows all that open a door for a person, also those that have a newer one', () => {
    const persons = { kind: 'operator' as const, name: 'kim' };
    const records = [record('kim', 2, 90, persons), record('kim', 20, 90, persons), record('db1', 1, 12)];
    expect(judged(records).map(({ state }) => state)).toEqual(['good', 'good', 'good']);
  });

  it('shows one that was revoked as that, with when and by whom, until it ends', () => {
    const revoked = { at: '2026-11-21T11:59:00.000Z', by: 'kim' };
    const records = [record('web1', 2, 12, { revoked }), record('web2', 20, 12, { revoked }), record('db1', 1, 12)];
    const listed = judged(records);
    expect(listed.map(({ name, state }) => `${name} ${state}`)).toEqual(['web2 expired', 'web1 revoked', 'db1 good']);
    const [verdict, ...lines] = certificateLines(listed, nowMs, false);
    expect(verdict).toBe(
      '3 certificates. The next to expire: node db1, in 11 h. None is late. Expired: node web2. Revoked: node web1.',
    );
    expect(lines[1]).toContain('revoked 2026-11-21T11:59:00Z by kim');
  });

  it('takes nobody for late who renews his own', () => {
    const people = [record('kim', 11, 12, { kind: 'operator' })];
    expect(judged(people)).toMatchObject([{ state: 'good' }]);
    expect(certificateLines([], nowMs, false)).toEqual(['No certificate is remembered.']);
  });
});
