/**
 * Makes a key and a signing request for it (PKCS#10, RFC 2986), where the key is to stay.
 *
 * The request names nobody: whoever issues decides names and usages by who asks, so it has nothing to say but its key, and
 * the signature that proves it. Written here, since agents don't load the X.509 library.
 *
 * Invariant: a new key is used only after a way through its text. A KeyObject as Node has generated it shares a lock with the
 * job that generated it; the garbage collector takes that lock to dispose of the job, so an `export` that holds it while it
 * allocates hangs the process for good (seen with `export({ format: 'jwk' })` in Node 20.20, once in some 8,000 keys).
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
  const { privateKey: keyPem } = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  return { requestPem: requestForKey(keyPem), keyPem };
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
