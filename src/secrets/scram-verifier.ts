/**
 * SCRAM-SHA-256 verifiers (RFC 5803, PostgreSQL documentation 55.3) of random passwords: whoever checks a password by one can't
 * log in with it.
 */
import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';

/** RFC 7677 asks for at least as many, and JDBC's driver refuses fewer. */
export const roundsForClients = 4096;
/**
 * Rounds slow down the guessing of a person's password, and of 24 random bytes nobody guesses any. A pooler would spend 3 ms of
 * its only thread on them at each login, which is just when all of them log in at once, after the primary has moved.
 */
export const roundsForPoolers = 1;

const saltBytes = 16;

function keyed(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

/**
 * `SCRAM-SHA-256$<rounds>:<salt>$<stored key>:<server key>`. The password must be random (those of people need a random
 * salt): the salt is derived from it, so that the same password always gives the same text.
 */
export function scramVerifier(password: string, rounds: number): string {
  const salt = createHash('sha256').update(`understudy scram salt ${password}`).digest().subarray(0, saltBytes);
  const salted = pbkdf2Sync(password, salt, rounds, 32, 'sha256');
  const storedKey = createHash('sha256').update(keyed(salted, 'Client Key')).digest('base64');
  const serverKey = keyed(salted, 'Server Key').toString('base64');
  return `SCRAM-SHA-256$${rounds}:${salt.toString('base64')}$${storedKey}:${serverKey}`;
}

/** What the store may know of a verifier: with the verifier itself its reader could play the server. SHA-256 in hex. */
export function verifierDigest(verifier: string): string {
  return createHash('sha256').update(verifier).digest('hex');
}
