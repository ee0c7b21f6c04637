/**
 * Carries out `certificates revoke`: writes a record for each certificate that is meant. Every agent obeys when it hears of it.
 *
 * Invariant: only what the cluster remembers can be revoked, so that a slip of the pen is told; and nobody shuts himself out
 * without having said so.
 */
import type { RevocationAnswer, RevocationRequest } from '../api/contract/certificates.ts';
import type { CertificateRecord } from '../core/certificates.ts';
import {
  certificatesMeant,
  isLastWayIn,
  type KnownCertificate,
  type RevocationRecord,
  type RevocationTarget,
  rememberedRevokedForMs,
} from '../core/revocation.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { encodeRecord } from '../records/codecs.ts';
import { revocationKey } from '../records/keys.ts';
import type { StoreImage } from '../records/store-image.ts';
import type { StandingOrderParts } from './standing-order.ts';

const writeWithinMs = 5_000;
/** Of one transaction; etcd takes 128 operations. */
const atOnce = 50;

/** Throws REFUSED, CONFLICT, STORE_UNREACHABLE. */
export async function orderRevocation(
  parts: StandingOrderParts,
  { target, lastWayIn }: RevocationRequest,
  by: string,
): Promise<RevocationAnswer> {
  const { clock, mirror, signal, emit } = parts;
  const now = clock.wallClock();
  const at = now.toISOString();
  const { revocations } = mirror.image;
  const records = [...mirror.image.certificates.values()].map(({ value }) => value);
  const monthAgo = new Date(now.getTime() - rememberedRevokedForMs).toISOString();
  const meant = certificatesMeant(records, target, monthAgo);
  if (meant.length === 0) throw unknown(target);
  const owed = meant.filter(({ serial }) => !revocations.has(serial));
  if (!lastWayIn && isLastWayIn(records, (serial) => revocations.has(serial), owed, by, at)) {
    throw new UnderstudyError('REFUSED', `this would leave ${by}, who asks for it, without a certificate`, {
      hint: 'give --yes if you are sure; another certificate has to be issued on a database node then',
    });
  }
  for (let from = 0; from < owed.length; from += atOnce) {
    const chunk = owed.slice(from, from + atOnce);
    const result = await mirror.transact(
      chunk.map(({ serial }) => ({ key: revocationKey(serial), revision: 'absent' })),
      chunk.map((record) => ({
        key: revocationKey(record.serial),
        value: encodeRecord('revocation', revocationOf(record, at, by)),
      })),
      { withinMs: writeWithinMs, signal },
    );
    if (!result.committed) throw new UnderstudyError('CONFLICT', 'somebody else revoked one of them at the same time');
    for (const { kind, name, serial } of chunk) emit('certificate.revoked', { serial, holder: `${kind} ${name}`, by });
  }
  return { revoked: meant.map((record) => knownOf(record, parts.mirror.image)), newly: owed.length };
}

function revocationOf({ serial, kind, name, expiresAt }: CertificateRecord, at: string, by: string): RevocationRecord {
  return { serial, kind, name, expiresAt, at, by };
}

/** With what became of it. */
export function knownOf(record: CertificateRecord, { revocations }: Pick<StoreImage, 'revocations'>): KnownCertificate {
  const revoked = revocations.get(record.serial)?.value;
  return revoked === undefined ? record : { ...record, revoked: { at: revoked.at, by: revoked.by } };
}

function unknown(target: RevocationTarget): UnderstudyError {
  const what =
    target.of === 'serial'
      ? `the serial number ${target.serial} is`
      : `no certificate of ${target.of} ${target.name} is`;
  const message = target.of === 'serial' ? `${what} none that this cluster has issued` : `${what} remembered`;
  return new UnderstudyError('REFUSED', `${message}: nothing was revoked`, {
    hint: 'understudy certificates --all lists them',
  });
}
