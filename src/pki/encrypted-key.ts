/**
 * Keeps a private key under a passphrase: PKCS#8, PBES2 with scrypt (RFC 8018, RFC 7914) and AES-256-CBC, so that `openssl`
 * opens it too. Node encrypts with PBKDF2 of 2048 rounds alone, and lets nobody choose another; so it is written here,
 * and read by OpenSSL.
 */
import { createCipheriv, createPrivateKey, randomBytes, scryptSync } from 'node:crypto';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { identifier, integer, octets, pem, sequence } from './der.ts';

/** OpenSSL opens nothing that takes more than 32 MiB; that is 16 MiB five times over (OWASP names it the equal of 128 MiB once). */
const scrypt = { N: 16_384, r: 8, p: 5 } as const;
const keyBytes = 32;

const oids = {
  pbes2: '2a864886f70d01050d',
  scrypt: '2b06010401da47040b',
  aes256Cbc: '60864801650304012a',
} as const;

/** `keyPem`: PKCS#8, not encrypted. */
export function encryptKey(keyPem: string, passphrase: string): string {
  requirePassphrase(passphrase);
  const der = createPrivateKey(keyPem).export({ type: 'pkcs8', format: 'der' });
  const [salt, iv] = [randomBytes(16), randomBytes(16)];
  const cipher = createCipheriv('aes-256-cbc', scryptSync(passphrase, salt, keyBytes, scrypt), iv);
  const text = Buffer.concat([cipher.update(der), cipher.final()]);
  const parameters = sequence(octets(salt), ...[scrypt.N, scrypt.r, scrypt.p, keyBytes].map((value) => integer(value)));
  const derivation = sequence(identifier(oids.scrypt), parameters);
  const encryption = sequence(identifier(oids.aes256Cbc), octets(iv));
  const algorithm = sequence(identifier(oids.pbes2), sequence(derivation, encryption));
  return pem('ENCRYPTED PRIVATE KEY', sequence(algorithm, octets(text)));
}

/** Throws CERTIFICATE_REFUSED: a wrong passphrase and a damaged file look alike. */
export function decryptKey(encryptedPem: string, passphrase: string): string {
  try {
    return createPrivateKey({ key: encryptedPem, passphrase }).export({ type: 'pkcs8', format: 'pem' }).toString();
  } catch {
    // What OpenSSL says of a key is kept out: it may quote it.
    throw new UnderstudyError('CERTIFICATE_REFUSED', "the root's key does not open with this passphrase");
  }
}

function requirePassphrase(passphrase: string): void {
  // OpenSSL's own limit, and less than anybody should choose.
  if (passphrase.length >= 8 && Buffer.byteLength(passphrase) <= 1_024) return;
  throw new UnderstudyError('CONFIG_INVALID', 'a passphrase needs 8 characters at least, and 1024 bytes at most');
}
