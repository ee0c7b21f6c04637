import { expect, it } from 'vitest';
import { type CertificateRecord, forgettable } from './certificates.ts';

const named = (serial: string, name: string, expiresAt: string): CertificateRecord => ({
  ...{ serial, name, kind: 'node', hostNames: [], addresses: [], issuer: '', keyType: 'P-256' },
  ...{ issuedAt: '2026-01-01T00:00:00.000Z', expiresAt, where: name, requestedBy: name, issuedBy: null },
});

it('certificates are forgotten a month after they expired, or when their holder has three expired ones since', () => {
  const records = [
    named('1', 'db1', '2026-11-21T11:00:00.000Z'),
    named('2', 'db1', '2026-11-21T10:00:00.000Z'),
    named('3', 'db1', '2026-11-21T09:00:00.000Z'),
    named('4', 'db1', '2026-11-21T08:00:00.000Z'),
    named('5', 'db1', '2026-11-21T13:00:00.000Z'),
    named('6', 'db2', '2026-10-01T00:00:00.000Z'),
    named('7', 'db3', '2026-11-01T00:00:00.000Z'),
  ];
  const gone = forgettable(records, '2026-11-21T12:00:00.000Z', '2026-10-22T12:00:00.000Z');
  expect([...gone].sort()).toEqual(['4', '6']);
});
