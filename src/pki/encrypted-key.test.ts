import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { run } from '../process/run.ts';
import { decryptKey, encryptKey } from './encrypted-key.ts';

const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const keyPem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
const passphrase = 'eight or môre';

describe('a key under a passphrase', () => {
  const encrypted = encryptKey(keyPem, passphrase);

  it('opens with it, and with no other', () => {
    expect(createPrivateKey(decryptKey(encrypted, passphrase)).equals(privateKey)).toBe(true);
    for (const wrong of ['', 'eight or more', `${passphrase} `]) {
      expect(() => decryptKey(encrypted, wrong)).toThrow('does not open with this passphrase');
    }
    expect(() => decryptKey('nonsense', passphrase)).toThrow('does not open');
    expect(encryptKey(keyPem, passphrase)).not.toBe(encrypted);
  });

  it('is what openssl opens and names: scrypt, AES-256', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'understudy-key-'));
    try {
      const file = join(directory, 'root.key');
      writeFileSync(file, encrypted);
      const args = ['pkcs8', '-in', file, '-passin', 'stdin'];
      const { stdout } = await run('openssl', args, { withinMs: 10_000, input: `${passphrase}\n` });
      expect(createPrivateKey(stdout).equals(privateKey)).toBe(true);
    } finally {
      rmSync(directory, { recursive: true });
    }
    const parsed = await run('openssl', ['asn1parse'], { withinMs: 10_000, input: encrypted });
    for (const name of ['PBES2', 'scrypt', 'aes-256-cbc', ':4000']) expect(parsed.stdout).toContain(name);
  });

  it('is not made with a passphrase that is none', () => {
    for (const short of ['', 'seven_7', 'x'.repeat(1_025)]) {
      expect(() => encryptKey(keyPem, short)).toThrow('a passphrase needs');
    }
  });
});
