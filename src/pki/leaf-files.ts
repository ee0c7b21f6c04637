/**
 * The certificates of a node where its node file says that they are.
 *
 * Invariant: where certificate and key are one file, it is replaced at once, and no reader finds two halves that don't fit;
 * where they are two, the key comes first. A key that was made for a request exists in this process alone until its
 * certificate has come, and never leaves the node.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { CertificatePurpose, IssuedCertificate } from '../core/certificates.ts';
import { purposes as allPurposes } from '../core/certificates.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { CertificateFiles, OwnCertificate } from '../ports/certificates.ts';
import { type CredentialOwner, certificatesIn, keyIn, replaceFile } from './credential-files.ts';
import { lifeOf } from './life.ts';
import { recordOf } from './record.ts';
import { createSigningRequest, requestForKey } from './signing-request.ts';

export interface LeafPlace {
  readonly certificate: string;
  readonly key: string;
}

export type LeafPlaces = Partial<Readonly<Record<CertificatePurpose, LeafPlace>>>;

interface LeafHandling {
  /** Whose the files become, which only root can ask for. */
  readonly owner?: CredentialOwner | null;
  /** Looks at a new certificate before it takes its place. Throws what stands against it. */
  readonly check?: (purpose: CertificatePurpose, chain: string, keyPem: string) => Promise<void>;
}

export function leafFiles(places: LeafPlaces, { check, owner = null }: LeafHandling = {}): CertificateFiles {
  const waiting = new Map<CertificatePurpose, string>();
  const placeOf = (purpose: CertificatePurpose): LeafPlace => {
    const place = places[purpose];
    if (place === undefined)
      throw new UnderstudyError('BROKEN_INVARIANT', `this node has no certificate for ${purpose}`);
    return place;
  };
  return {
    purposes: allPurposes.filter((purpose) => places[purpose] !== undefined),
    look: (purpose) => look(purpose, placeOf(purpose)),
    records: () =>
      Object.values(places).flatMap(({ certificate }) => {
        try {
          return [recordOf(certificatesIn(readFileSync(certificate, 'utf8')))];
        } catch {
          return []; // there is none, which is told by whoever needs it
        }
      }),
    wish(purpose) {
      if (purpose === 'sealing') {
        const keyPem = readFileSync(placeOf(purpose).key, 'utf8');
        waiting.set(purpose, keyPem);
        return { purpose, request: requestForKey(keyPem) };
      }
      const { requestPem, keyPem } = createSigningRequest();
      waiting.set(purpose, keyPem);
      return { purpose, request: requestPem };
    },
    async put(issued) {
      for (const { chain, purpose } of issued) await check?.(purpose, chain, waiting.get(purpose) ?? '');
      for (const one of issued) await putOne(one, placeOf(one.purpose), waiting.get(one.purpose), owner);
      for (const { purpose } of issued) waiting.delete(purpose);
    },
  };
}

function look(purpose: CertificatePurpose, { certificate }: LeafPlace): OwnCertificate | null {
  try {
    const found = new X509Certificate(readFileSync(certificate));
    return { purpose, serial: found.serialNumber, life: lifeOf(found) };
  } catch {
    return null;
  }
}

async function putOne(
  { purpose, chain }: IssuedCertificate,
  place: LeafPlace,
  keyPem: string | undefined,
  owner: CredentialOwner | null,
): Promise<void> {
  const refuse = (because: string) =>
    new UnderstudyError('CERTIFICATE_REFUSED', `a new certificate (${purpose}): ${because}`);
  if (keyPem === undefined) throw refuse('nobody asked for it');
  const certificatePem = certificatesIn(chain);
  if (certificatePem === '' || !new X509Certificate(chain).checkPrivateKey(createPrivateKey(keyIn(keyPem)))) {
    throw refuse('it is not for the key that was asked for');
  }
  if (place.certificate === place.key) {
    await replaceFile(place.key, `${certificatePem}${keyPem}`, 0o600, owner);
    return;
  }
  if (purpose !== 'sealing') await replaceFile(place.key, keyPem, 0o600, owner);
  await replaceFile(place.certificate, certificatePem, 0o644, owner);
}
