/**
 * SCRAM-SHA-256 verifiers (RFC 5803, PostgreSQL documentation 55.3) for pgbouncer's userlist: it can check a
 * client's password with one, and whoever reads it can't log in. It also spares the pooler the 4096 rounds of hashing
 * that each login costs when the list holds the password itself.
 */
import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';

const iterations = 4096;
const saltBytes = 16;

function keyed(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

/**
 * `SCRAM-SHA-256$<iterations>:<salt>$<stored key>:<server key>`. The password must be random (passwords of people need
 * a random salt): the salt is derived from it, so that the same password always gives the same file.
 */
export function scramVerifier(password: string): string {
  const salt = createHash('sha256').update(`understudy scram salt ${password}`).digest().subarray(0, saltBytes);
  const salted = pbkdf2Sync(password, salt, iterations, 32, 'sha256');
  const storedKey = createHash('sha256').update(keyed(salted, 'Client Key')).digest('base64');
  const serverKey = keyed(salted, 'Server Key').toString('base64');
  return `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${storedKey}:${serverKey}`;
}
