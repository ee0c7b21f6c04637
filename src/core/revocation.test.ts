import { describe, expect, it } from 'vitest';
import type { CertificateRecord } from './certificates.ts';
import {
  certificatesMeant,
  forgettableRevocations,
  isLastWayIn,
  nodesShutOut,
  type RevokedEntry,
  revokedBefore,
  serialAsListed,
} from './revocation.ts';

const monthAgo = '2026-10-22T00:00:00.000Z';
const now = '2026-11-21T00:00:00.000Z';

function record(serial: string, change: Partial<CertificateRecord>): CertificateRecord {
  return {
    ...{ serial, kind: 'node', name: 'app1', hostNames: [], addresses: [], issuer: 'psf', keyType: 'P-256' },
    ...{ issuedAt: '2026-11-20T00:00:00.000Z', expiresAt: '2026-11-27T00:00:00.000Z' },
    ...{ where: 'app1', requestedBy: 'app1', issuedBy: 'db1' },
    ...change,
  };
}

const person = (serial: string, kind: 'operator' | 'viewer', name: string, change: Partial<CertificateRecord> = {}) =>
  record(serial, { kind, name, where: null, ...change });

const serials = (records: readonly CertificateRecord[]) => records.map(({ serial }) => serial);

describe('the certificates that are meant', () => {
  const records = [
    record('A1', {}),
    record('A2', { kind: 'recipient' }),
    record('A3', { kind: 'own', name: 'www.psf.io' }),
    record('A4', { expiresAt: '2026-11-01T00:00:00.000Z' }),
    record('A5', { expiresAt: '2026-10-01T00:00:00.000Z' }),
    record('B1', { name: 'app2', where: 'app2' }),
    person('K1', 'operator', 'kim'),
    person('K2', 'viewer', 'kim'),
  ];
  const meant = (target: Parameters<typeof certificatesMeant>[1]) =>
    serials(certificatesMeant(records, target, monthAgo));

  it('are that of a serial number, or all whose keys lie on a node while they are good for anything', () => {
    expect(meant({ of: 'serial', serial: 'A5' })).toEqual(['A5']);
    expect(meant({ of: 'serial', serial: 'FF' })).toEqual([]);
    // A4 has ended, and could still be renewed by.
    expect(meant({ of: 'node', name: 'app1' })).toEqual(['A1', 'A2', 'A3', 'A4']);
  });

  it('are those of a person in that role', () => {
    expect(meant({ of: 'operator', name: 'kim' })).toEqual(['K1']);
    expect(meant({ of: 'viewer', name: 'kim' })).toEqual(['K2']);
    expect(meant({ of: 'operator', name: 'app1' })).toEqual([]);
  });

  it('are found by any spelling of a serial number', () => {
    expect(['ab:01:ff', '0xab01ff', 'AB01FF'].map(serialAsListed)).toEqual(Array(3).fill('AB01FF'));
  });
});

describe("an operator's last way in", () => {
  const records = [
    person('K1', 'operator', 'kim'),
    person('K2', 'operator', 'kim'),
    person('K3', 'operator', 'kim', { expiresAt: '2026-11-20T12:00:00.000Z' }),
    person('K4', 'viewer', 'kim'),
    person('E1', 'operator', 'ernest'),
  ];
  const isLast = (revoked: readonly string[], ...meant: readonly string[]) =>
    isLastWayIn(
      records,
      (serial) => revoked.includes(serial),
      records.filter(({ serial }) => meant.includes(serial)),
      'kim',
      now,
    );

  it('is the last one that is good, whatever he has beside it', () => {
    expect(isLast([], 'K1')).toBe(false);
    expect(isLast([], 'K1', 'K2')).toBe(true);
    expect(isLast(['K1'], 'K2')).toBe(true);
  });

  it("is not another's", () => {
    expect(isLast([], 'E1')).toBe(false);
    expect(isLast(['K1', 'K2'], 'E1', 'K4')).toBe(false);
  });
});

describe('what may not be renewed', () => {
  const records = [
    record('N1', { issuedAt: '2026-11-18T00:00:00.000Z' }),
    record('N2', {}),
    record('S1', { kind: 'recipient' }),
    record('W1', { kind: 'own', name: 'www.psf.io' }),
    record('B1', { name: 'app2', where: 'app2' }),
  ];
  const barred = (revoked: string, purpose: 'node' | 'sealing' | 'own' | 'store-server', name?: string) =>
    revokedBefore(records, (serial) => serial === revoked, 'app1', { purpose, name });

  it('is the newest of its purpose, once it is revoked', () => {
    expect(barred('S1', 'sealing')).toBe('S1');
    expect(barred('S1', 'node')).toBe(null);
    expect(barred('W1', 'own', 'www.psf.io')).toBe('W1');
    expect(barred('W1', 'own', 'ftp.psf.io')).toBe(null);
  });

  it('is not one whose predecessor was revoked, or that of another node', () => {
    expect(barred('N1', 'node')).toBe(null);
    expect(barred('B1', 'node')).toBe(null);
  });

  it('is everything of a node whose own certificate was', () => {
    expect(barred('N2', 'store-server')).toBe('N2');
    expect(barred('N2', 'own', 'ftp.psf.io')).toBe('N2');
  });
});

describe('a revocation', () => {
  it('is forgotten a month after its certificate has ended, and never that of one who may seal', () => {
    const entry = (serial: string, kind: RevokedEntry['kind'], expiresAt: string) =>
      ({ serial, kind, expiresAt, at: '2026-09-01T00:00:00.000Z' }) satisfies RevokedEntry;
    const entries = [
      entry('A', 'node', '2026-10-21T00:00:00.000Z'),
      entry('B', 'node', '2026-10-23T00:00:00.000Z'),
      entry('C', 'sealer', '2026-10-01T00:00:00.000Z'),
    ];
    expect(forgettableRevocations(entries, monthAgo)).toEqual(['A']);
  });
});

describe('nodes that are shut out', () => {
  const records = [
    record('A1', { issuedAt: '2026-11-18T00:00:00.000Z' }),
    record('A2', {}),
    record('A3', { kind: 'recipient', issuedAt: '2026-11-20T01:00:00.000Z' }),
    record('B1', { name: 'app2', where: 'app2' }),
  ];
  const out = (revoked: readonly string[], more: readonly CertificateRecord[] = []) => [
    ...nodesShutOut([...records, ...more], (serial) => revoked.includes(serial)),
  ];

  it('are those whose newest certificate was revoked, until they have another', () => {
    expect(out([])).toEqual([]);
    expect(out(['A1', 'A3'])).toEqual([]);
    expect(out(['A2'])).toEqual(['app1']);
    expect(out(['A1', 'A2', 'A3', 'B1'])).toEqual(['app1', 'app2']);
    expect(out(['A1', 'A2', 'A3'], [record('A4', { issuedAt: '2026-11-20T02:00:00.000Z' })])).toEqual([]);
  });
});
