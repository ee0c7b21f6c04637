/** Tokens, people and certificates of others, as somebody types them. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { KnownCertificate } from '../src/core/revocation.ts';
import { issueFor } from '../src/pki/issue.ts';
import { requestedKey } from '../src/pki/requested-key.ts';
import { days } from './fixtures/authority.ts';
import { cliSite } from './fixtures/cli-site.ts';
import { exampleRecords } from './fixtures/records.ts';

const site = cliSite();
const { cli } = site;

describe('a token', () => {
  it('is good for a minute at least, and a week at most', async () => {
    for (const life of ['1ms', '0', '59s', '169h']) {
      const { err, exit } = await cli('node', 'token', 'web0', '--for', life);
      expect({ life, exit, err }).toMatchObject({
        exit: 2,
        err: expect.stringMatching(/At (least a minute|most seven)/),
      });
    }
    expect(site.world.backend.calls).toEqual([]);
  });
});

describe('a certificate of others', () => {
  it('is none in a file that holds none: that was asked wrongly', async () => {
    for (const [name, text] of [
      ['garbage.pem', 'nothing of that kind'],
      ['empty.pem', ''],
      ['key.pem', '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n'],
    ] as const) {
      writeFileSync(join(site.directory, name), text);
      const { err, exit } = await cli('certificates', 'register', join(site.directory, name));
      expect({ exit, err }).toMatchObject({
        exit: 2,
        err: expect.stringMatching(/no certificate in PEM\n.*BEGIN CERT/),
      });
    }
    expect(site.world.backend.calls).toEqual([]);
  });
});

describe('a person', () => {
  const record = (serial: string, change: Partial<KnownCertificate> = {}): KnownCertificate => ({
    ...exampleRecords.certificate,
    ...{ serial, kind: 'operator', name: 'kim', where: null },
    ...{ issuedAt: new Date().toISOString(), expiresAt: new Date(Date.now() + 40 * 86_400_000).toISOString() },
    ...change,
  });

  it('who has a certificate already is told which one stays good', async () => {
    const { authority } = site.callers;
    site.world.backend.certifyPerson = async ({ name, request }) => {
      const about = { kind: 'operator', cluster: 'psf', name, ...days(7) } as const;
      return { chain: await issueFor(authority, about, await requestedKey(request)), caPem: authority.rootsPem };
    };
    const out = join(site.directory, 'kim');
    const first = await cli('operator', 'add', 'kim', '--out', out);
    expect(first).toMatchObject({ exit: 0, out: expect.not.stringContaining('before') });
    site.world.backend.certificates = () => [
      record('A1'),
      record('B2', { kind: 'viewer' }),
      record('C3', { name: 'lee' }),
      record('D4', { revoked: { at: '2026-11-20T12:00:00.000Z', by: 'lee' } }),
    ];
    expect((await cli('operator', 'add', 'kim', '--out', out)).out).toMatch(
      /kim had one before, good for 40 d more, unless .* certificates revoke A1\n$/,
    );
    expect(JSON.parse((await cli('operator', 'add', 'kim', '--out', out, '--json')).out)).toMatchObject({
      former: ['A1'],
    });
  });
});
