/**
 * Makes a key and a signing request for it (PKCS#10, RFC 2986), where the key is to stay.
 *
 * The request names nobody: whoever issues decides names and usages by who asks, so it has nothing to say but its key, and
 * the signature that proves it. Written here, since agents don't load the X.509 library.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { bits, element, identifier, integer, pem, sequence } from './der.ts';

export interface SigningRequest {
  readonly requestPem: string;
  /** PKCS#8, not encrypted. */
  readonly keyPem: string;
}

const ecdsaWithSha256 = '2a8648ce3d040302';

/** For a new key on the curve P-256. */
export function createSigningRequest(): SigningRequest {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { requestPem: requestFor(privateKey), keyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() };
}

/** For a key that is there: a sealing key outlives its certificate. Throws what reading the key throws. */
export function requestForKey(keyPem: string): string {
  return requestFor(createPrivateKey(keyPem));
}

function requestFor(key: KeyObject): string {
  const publicKey = createPublicKey(key).export({ type: 'spki', format: 'der' });
  // Version 0, no subject, the key, no attributes.
  const body = sequence(integer(0), sequence(), publicKey, element(0xa0));
  const signature = sign('sha256', body, { key, dsaEncoding: 'der' });
  return pem('CERTIFICATE REQUEST', sequence(body, sequence(identifier(ecdsaWithSha256)), bits(signature)));
}
