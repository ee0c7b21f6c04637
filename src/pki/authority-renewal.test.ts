import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Authority, createIssuing, createRoot, type Root } from './authority.ts';
import { foundAuthority, readAuthorityParts } from './authority-files.ts';
import { keepIssuing, newIssuing, openRoot, sealToNodes } from './authority-renewal.ts';
import { authorityStanding } from './authority-standing.ts';
import { writeCredentials } from './credential-files.ts';
import { issue } from './issue.ts';
import { performIssuing } from './issuer.ts';

const cluster = 'psf';
const nowMs = Date.now();
const dayMs = 24 * 60 * 60_000;
const passphrase = 'correct horse';
const directory = mkdtempSync(join(tmpdir(), 'understudy-renewal-'));
const ca = join(directory, 'ca');
let root: Root;
let former: Authority;

afterAll(() => rmSync(directory, { recursive: true, force: true }));
beforeAll(async () => {
  const lives = { rootLifeMs: 3_650 * dayMs, issuingLifeMs: 20 * dayMs };
  await foundAuthority({ directory: ca, cluster, ...lives, passphrase, nowMs });
  root = openRoot(ca, passphrase);
  former = await createIssuing(root, { cluster, lifeMs: 20 * dayMs, nowMs });
});

const sealingOf = (authority: Authority, node: string, role: 'database' | 'app') =>
  issue(authority, { kind: 'sealing', cluster, node, role, lifeMs: 20 * dayMs, nowMs });

async function renewed(authority: Authority, node: string) {
  const files = await sealingOf(former, node, 'database');
  const { ca: roots, certificate, key } = await writeCredentials(join(directory, node), 'sealing', files);
  const recipients = [
    { node, chainPem: files.certificatePem },
    { node: 'web0', chainPem: (await sealingOf(former, 'web0', 'app')).certificatePem },
    { node: 'pg9', chainPem: files.certificatePem },
  ];
  const { refused, sealed } = await sealToNodes(authority, recipients, {
    cluster,
    rootsPem: root.certificatePem,
    nowMs,
  });
  const [first] = sealed;
  const place = { cluster, domain: 'psf.io', node, roots, sealing: { certificate, key }, nowMs, revoked: [] };
  const task = { ...place, sealedKey: first?.sealed ?? '' };
  return { refused, sealed, answer: await performIssuing({ ...task, work: { do: 'inspect' } }) };
}

describe('a renewed issuing authority', () => {
  it('opens for the database nodes that it was sealed to, by no word but the root’s', async () => {
    const next = await newIssuing(root, { cluster, lifeMs: 395 * dayMs, nowMs });
    const { answer, refused, sealed } = await renewed(next, 'pg0');
    expect(sealed.map(({ node }) => node)).toEqual(['pg0']);
    expect(refused).toMatchObject([
      { node: 'web0', because: expect.stringContaining('no database node') },
      { node: 'pg9', because: expect.stringContaining('that of pg0') },
    ]);
    expect(answer).toMatchObject({ outcome: 'inspected', certificatePem: next.certificatePem });
  });

  it('is refused when another root has signed it', async () => {
    const other = await createRoot({ cluster, lifeMs: 3_650 * dayMs, nowMs });
    const foreign = await createIssuing(other, { cluster, lifeMs: 395 * dayMs, nowMs });
    expect((await renewed(foreign, 'pg1')).answer).toMatchObject({ outcome: 'refused' });
  });

  it('takes the place of the former one in the directory, under the passphrase', async () => {
    const next = await newIssuing(root, { cluster, lifeMs: 395 * dayMs, nowMs });
    await keepIssuing(ca, next, passphrase);
    const issuing = readAuthorityParts(ca).find(({ part }) => part === 'issuing');
    expect(issuing).toMatchObject({ key: 'encrypted', serial: new X509Certificate(next.certificatePem).serialNumber });
    expect(statSync(join(ca, 'issuing.key')).mode & 0o777).toBe(0o600);
    expect(() => openRoot(ca, 'wrong horse')).toThrow('does not open');
    expect(() => openRoot(directory, passphrase)).toThrow('root.crt');
  });
});

describe('the standing of an authority', () => {
  it('believes the store only what a root has signed, and takes the own chain else', async () => {
    const other = await createRoot({ cluster, lifeMs: 3_650 * dayMs, nowMs });
    const foreign = await createIssuing(other, { cluster, lifeMs: 3_000 * dayMs, nowMs });
    const { certificatePem: chain } = await sealingOf(former, 'pg0', 'database');
    const rootsPem = readFileSync(join(ca, 'root.crt'), 'utf8');
    const endOf = (...issuingPems: (string | undefined)[]) =>
      authorityStanding({ rootsPem, issuingPems }).map(({ part, endsAt }) => [
        part,
        Math.round((Date.parse(endsAt) - nowMs) / dayMs),
      ]);
    expect(endOf(foreign.certificatePem, chain)).toEqual([
      ['root', 3_650],
      ['issuing', 20],
    ]);
    expect(endOf(undefined)).toEqual([['root', 3_650]]);
  });
});
