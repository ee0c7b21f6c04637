/** Takes the one thing of a signing request that its issuer wants: its public key, once the request proves its possession. */
import type { webcrypto } from 'node:crypto';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { curve } from './authority.ts';
import { Pkcs10CertificateRequest } from './x509.ts';

/** A request of ours has 400 bytes. */
const longest = 16_384;

/** Throws CERTIFICATE_REFUSED: no request, another kind of key, or a signature by another key. */
export async function requestedKey(requestPem: string): Promise<webcrypto.CryptoKey> {
  const refuse = (because: string, cause?: unknown) =>
    new UnderstudyError('CERTIFICATE_REFUSED', `the signing request is refused: ${because}`, { cause });
  if (requestPem.length > longest) throw refuse('it is too long');
  let request: Pkcs10CertificateRequest;
  let key: webcrypto.CryptoKey;
  try {
    request = new Pkcs10CertificateRequest(requestPem);
    // eslint-disable-next-line @typescript-eslint/no-unsafe-assignment -- the library means the browser's CryptoKey, which no type declares here
    key = await request.publicKey.export(curve, ['verify']);
  } catch (cause) {
    throw refuse('it is none in PEM, for a key on the curve P-256', cause);
  }
  const isProved = await request.verify().catch(() => false);
  if (!isProved) throw refuse('it is not signed by its own key');
  return key;
}
