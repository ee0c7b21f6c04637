import { describe, expect, it } from 'vitest';
import { orderWorld } from '../../test/fixtures/order-world.ts';
import { stored } from '../../test/fixtures/view.ts';
import type { CertificateRecord } from '../core/certificates.ts';
import type { RevocationRecord } from '../core/revocation.ts';
import { orderRevocation } from './revocation-order.ts';

const facts = {
  ...{ hostNames: [], addresses: [], issuer: 'psf', keyType: 'P-256', requestedBy: 'db1', issuedBy: 'db1' },
  ...{ issuedAt: '1969-12-31T00:00:00.000Z', expiresAt: '1970-01-07T00:00:00.000Z' },
} as const;
const app1: CertificateRecord = { ...facts, serial: 'A1', kind: 'node', name: 'app1', where: 'app1' };
const sealing: CertificateRecord = { ...app1, serial: 'A2', kind: 'recipient' };
const kim: CertificateRecord = { ...facts, serial: 'C1', kind: 'operator', name: 'kim', where: null };
const certificates = new Map([app1, sealing, kim].map((record) => [record.serial, stored(record)]));
const earlier: RevocationRecord = {
  ...{ serial: 'A2', kind: 'recipient', name: 'app1', expiresAt: facts.expiresAt },
  ...{ at: '1969-12-31T12:00:00.000Z', by: 'ernest' },
};
const node = { target: { of: 'node', name: 'app1' }, lastWayIn: false } as const;

describe('certificates revoke', () => {
  it('writes a record for each that is meant and was not revoked before, and tells of it', async () => {
    const { asked, parts, told } = orderWorld({ certificates, revocations: new Map([['A2', stored(earlier)]]) });
    const answer = await orderRevocation(parts, node, 'kim');
    expect(answer.newly).toBe(1);
    expect(answer.revoked.map(({ serial }) => serial)).toEqual(['A1', 'A2']);
    expect(answer.revoked[1]?.revoked).toEqual({ at: earlier.at, by: 'ernest' });
    const at = '1970-01-01T00:00:00.000Z';
    const value = { serial: 'A1', kind: 'node', name: 'app1', expiresAt: facts.expiresAt, at, by: 'kim' };
    expect(asked).toEqual([
      {
        conditions: [{ key: 'revocations/A1', revision: 'absent' }],
        writes: [{ key: 'revocations/A1', value: JSON.stringify(value) }],
      },
    ]);
    expect(told).toEqual([['certificate.revoked', { serial: 'A1', holder: 'node app1', by: 'kim' }]]);
  });

  it('refuses what this cluster has not issued', async () => {
    const { asked, parts } = orderWorld({ certificates });
    const serial = orderRevocation(parts, { ...node, target: { of: 'serial', serial: 'FF' } }, 'kim');
    await expect(serial).rejects.toMatchObject({ code: 'REFUSED', message: expect.stringContaining('FF') });
    const name = orderRevocation(parts, { ...node, target: { of: 'node', name: 'app9' } }, 'kim');
    await expect(name).rejects.toMatchObject({ code: 'REFUSED', message: expect.stringContaining('app9') });
    expect(asked).toEqual([]);
  });

  it("refuses one's own last way in, unless that is meant", async () => {
    const own = { target: { of: 'operator', name: 'kim' } } as const;
    const { asked, parts } = orderWorld({ certificates });
    await expect(orderRevocation(parts, { ...own, lastWayIn: false }, 'kim')).rejects.toMatchObject({
      code: 'REFUSED',
    });
    expect(asked).toEqual([]);
    expect(await orderRevocation(parts, { ...own, lastWayIn: false }, 'ernest')).toMatchObject({ newly: 1 });
    expect(await orderRevocation(parts, { ...own, lastWayIn: true }, 'kim')).toMatchObject({ newly: 1 });
  });

  it('says so when somebody else was quicker', async () => {
    const { parts, told } = orderWorld({ certificates }, false);
    await expect(orderRevocation(parts, node, 'kim')).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(told).toEqual([]);
  });
});
