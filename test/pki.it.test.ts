/** Certificates as OpenSSL and Node judge them. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Authority, createIssuing, createRoot } from '../src/pki/authority.ts';
import { readCredentials, writeCredentials } from '../src/pki/credential-files.ts';
import { describeCertificate } from '../src/pki/description.ts';
import { identityFrom } from '../src/pki/identity.ts';
import { type CertificateRequest, issue, issueFor } from '../src/pki/issue.ts';
import { requestedKey } from '../src/pki/requested-key.ts';
import { revocationList } from '../src/pki/revocation-list.ts';
import { createSigningRequest, requestForKey } from '../src/pki/signing-request.ts';
import { type JsonGeneralName, SubjectAlternativeNameExtension } from '../src/pki/x509.ts';
import { run } from '../src/process/run.ts';
import { createAuthority, dayMs, days, forge, past } from './fixtures/authority.ts';

let directory: string;
let authority: Authority;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'understudy-pki-'));
  authority = await createAuthority({ cluster: 'psf', days: 30 });
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const pg0: CertificateRequest = {
  kind: 'node',
  role: 'database',
  cluster: 'psf',
  node: 'pg0.iad1',
  domain: 'psf.io',
  addresses: ['10.0.1.10', '::1'],
  extraNames: ['db.example.org'],
  ...days(7),
};
const ernest: CertificateRequest = { kind: 'operator', cluster: 'psf', name: 'ernest', ...days(7) };
const etcd: CertificateRequest = {
  kind: 'store-server',
  cluster: 'psf',
  name: 'pg0',
  addresses: ['127.0.0.1'],
  extraNames: ['pg0.psf.io'],
  ...days(7),
};

/** What `openssl verify` says; empty when it is content. */
async function verify(certificatePem: string, options: readonly string[], by = authority): Promise<string> {
  const ca = join(directory, 'verify-ca.crt');
  const certificate = join(directory, 'verify.crt');
  await writeFile(ca, by.rootsPem);
  await writeFile(certificate, certificatePem);
  const args = ['verify', '-x509_strict', '-CAfile', ca, '-untrusted', certificate, ...options, certificate];
  const { code, stderr, stdout } = await run('openssl', args, { withinMs: 10_000, anyExit: true });
  return code === 0 ? '' : stdout + stderr;
}

describe('certificates', () => {
  it('are accepted by OpenSSL for their purposes, names and addresses', async () => {
    const { certificatePem } = await issue(authority, pg0);
    const accepted = [
      ['-purpose', 'sslserver', '-verify_hostname', 'pg0.iad1.psf.io'],
      ['-purpose', 'sslserver', '-verify_hostname', 'postgresql.psf.io'],
      ['-purpose', 'sslserver', '-verify_hostname', 'db.example.org'],
      ['-purpose', 'sslserver', '-verify_ip', '10.0.1.10'],
      ['-purpose', 'sslserver', '-verify_ip', '::1'],
      ['-purpose', 'sslclient'],
    ];
    for (const options of accepted) expect(await verify(certificatePem, options), options.join(' ')).toBe('');
    expect(await verify(certificatePem, ['-verify_hostname', 'pg1.iad1.psf.io'])).toContain('hostname mismatch');
    expect(await verify((await issue(authority, etcd)).certificatePem, ['-purpose', 'sslclient'])).toBe('');
    const storeClient = await issue(authority, { kind: 'store-client', cluster: 'psf', name: 'pg0', ...days(7) });
    expect(await verify(storeClient.certificatePem, ['-purpose', 'sslclient'])).toBe('');
    expect(describeCertificate(storeClient.certificatePem)).toMatchObject({
      holder: { kind: 'store-client' },
      server: false,
    });
    expect(identityFrom(new X509Certificate(storeClient.certificatePem))).toMatchObject({ recognised: false });
  });

  it('say who they are for', async () => {
    const node = describeCertificate((await issue(authority, pg0)).certificatePem);
    expect(node).toMatchObject({
      subject: 'CN=pg0.iad1',
      issuer: expect.stringMatching(/^CN=psf issuing authority \d{4}-\d{2}-\d{2}$/),
      holder: { cluster: 'psf', kind: 'node', name: 'pg0.iad1' },
      hostNames: ['pg0.iad1', 'pg0.iad1.psf.io', 'postgresql.psf.io', 'db.example.org'],
      addresses: ['10.0.1.10', '0:0:0:0:0:0:0:1'],
      isAuthority: false,
      server: true,
      client: true,
    });
    expect(node.notBefore.getTime()).toBeLessThan(Date.now() - 60_000);
    const app = { ...pg0, role: 'app' } as const;
    expect(describeCertificate((await issue(authority, app)).certificatePem).hostNames).not.toContain(
      'postgresql.psf.io',
    );
    expect(describeCertificate((await issue(authority, ernest)).certificatePem)).toMatchObject({
      subject: 'CN=operator:ernest',
      holder: { kind: 'operator', name: 'ernest' },
      hostNames: [],
      server: false,
      client: true,
    });
  });

  it("are refused for what they are not: a server's, an authority's, another authority's", async () => {
    const operator = await issue(authority, ernest);
    expect(await verify(operator.certificatePem, ['-purpose', 'sslserver'])).toContain('nsuitable certificate purpose');
    expect(await verify(operator.certificatePem.replace(authority.certificatePem, ''), [])).toContain('unable to get');
    const sealing = await issue(authority, {
      kind: 'sealing',
      cluster: 'psf',
      node: 'pg0',
      role: 'database',
      ...days(7),
    });
    for (const purpose of ['sslserver', 'sslclient']) {
      expect(await verify(sealing.certificatePem, ['-purpose', purpose])).toContain('nsuitable certificate purpose');
    }
    const other = await createAuthority({ cluster: 'psf', days: 30 });
    expect(await verify(operator.certificatePem, [], other)).not.toBe('');
    await expect(issue({ ...authority, ...operator }, pg0)).rejects.toMatchObject({ code: 'CERTIFICATE_REFUSED' });
    await expect(issue({ ...authority, keyPem: 'x' }, pg0)).rejects.toMatchObject({ code: 'CERTIFICATE_REFUSED' });
  });

  it('expire when they should, and never after their authority', async () => {
    const old = await issue(authority, { ...ernest, ...past() });
    expect(await verify(old.certificatePem, [])).toContain('certificate has expired');
    const long = await issue(authority, { ...ernest, lifeMs: 3_000 * dayMs });
    expect(describeCertificate(long.certificatePem).notAfter).toEqual(
      describeCertificate(authority.certificatePem).notAfter,
    );
    const later = { ...ernest, nowMs: Date.now() + 31 * dayMs };
    await expect(issue(authority, later)).rejects.toMatchObject({ code: 'CERTIFICATE_REFUSED' });
    await expect(issue(authority, { ...ernest, lifeMs: 0 })).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });

  it('never share a serial number or a key', async () => {
    const issued = await Promise.all(Array.from({ length: 8 }, () => issue(authority, ernest)));
    expect(new Set(issued.map(({ certificatePem }) => describeCertificate(certificatePem).serial)).size).toBe(8);
    expect(new Set(issued.map(({ keyPem }) => keyPem)).size).toBe(8);
  });

  it.each([
    'a,CN=pg0',
    'a+CN=pg0',
    '#0c0161',
    'x=y',
    'Łukasz',
    '日本',
    "O'Neil <on@example.org>",
    'a"b\\c',
    'a;b',
    'a / b',
    '*',
  ])('carry the operator %s unharmed', async (name) => {
    const { certificatePem } = await issue(authority, { ...ernest, name });
    expect(await verify(certificatePem, ['-purpose', 'sslclient'])).toBe('');
    expect(identityFrom(new X509Certificate(certificatePem))).toMatchObject({
      recognised: true,
      identity: { cluster: 'psf', kind: 'operator', name },
    });
  });

  it.each(['a,b', '#0c0161', '日本 "x"'])('come from an authority called %s too', async (commonName) => {
    const odd = await createAuthority({ cluster: 'psf', subject: { commonName }, days: 2 });
    expect(await verify((await issue(odd, pg0)).certificatePem, [], odd)).toBe('');
    expect(new X509Certificate(odd.rootsPem).toLegacyObject().subject).toEqual({ CN: commonName });
  });

  it.each([
    [{ ...pg0, node: 'operator:ernest' }],
    [{ ...pg0, node: 'pg0 ' }],
    [{ ...pg0, extraNames: ['*.psf.io'] }],
    [{ ...pg0, addresses: ['10.0.1.300'] }],
    [{ ...ernest, name: '' }],
    [{ ...ernest, cluster: 'a\nb' }],
  ])('are not issued for %j', async (request) => {
    await expect(issue(authority, request)).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });
});

describe('identity', () => {
  async function forged(commonName: string, names: JsonGeneralName[]) {
    const extensions = [new SubjectAlternativeNameExtension(names)];
    const { certificatePem } = await forge(authority, commonName, extensions);
    return identityFrom(new X509Certificate(certificatePem));
  }
  const url = (value: string): JsonGeneralName => ({ type: 'url', value });

  it('is read from the one URI name', async () => {
    expect(
      await forged('pg0', [{ type: 'dns', value: 'pg0' }, url('https://psf.io'), url('understudy://psf/node/pg0')]),
    ).toMatchObject({
      recognised: true,
      identity: { cluster: 'psf', kind: 'node', name: 'pg0' },
    });
  });

  it.each<[string, string, JsonGeneralName[]]>([
    ['no name of ours', 'pg0', [{ type: 'dns', value: 'pg0' }]],
    ['no name of ours', 'pg0', [{ type: 'dns', value: 'understudy://psf/node/pg0' }]],
    ['a name hidden in another', 'pg0', [url('x, URI:understudy://psf/node/pg0')]],
    ['a name hidden in a host name', 'pg0', [{ type: 'dns', value: 'x, URI:understudy://psf/node/pg0' }]],
    ['a name hidden in a quotation', 'pg0', [url('x", URI:understudy://psf/node/pg0, URI:"')]],
    ['a name hidden in a directory name', 'pg0', [{ type: 'dn', value: 'CN=a\\, URI:understudy://psf/node/pg0' }]],
    ['two names', 'pg0', [url('understudy://psf/node/pg0'), url('understudy://psf/node/pg1')]],
    ['two spellings', 'pg0', [url('understudy://psf/node/pg0'), url('UNDERSTUDY://psf/node/pg1')]],
    ['another common name', 'pg1', [url('understudy://psf/node/pg0')]],
    ["an operator with a node's common name", 'pg0', [url('understudy://psf/operator/pg0')]],
    ['a node that is none', 'operator:ernest', [url('understudy://psf/node/operator%3Aernest')]],
    ['a store', 'store:pg0', [url('understudy://psf/store/pg0')]],
    ['a longer path', 'pg0', [url('understudy://psf/node/pg0/x')]],
  ])('is refused for %s', async (_, commonName, names) => {
    expect(await forged(commonName, names)).toMatchObject({ recognised: false });
  });

  it('is refused without a certificate', () => {
    expect(identityFrom(undefined)).toMatchObject({ recognised: false });
  });
});

describe('credentials on disk', () => {
  it('are kept with the right modes, replaced whole, and read back', async () => {
    const where = join(directory, 'tls');
    const first = await issue(authority, pg0);
    await writeCredentials(where, 'node', first);
    const second = await issue(authority, pg0);
    const files = await writeCredentials(where, 'node', second);
    expect(await readCredentials(files)).toEqual(second);
    expect((await readdir(where)).sort()).toEqual(['ca.crt', 'node.crt', 'node.key']);
    expect((await stat(files.key)).mode & 0o777).toBe(0o600);
    expect((await stat(files.certificate)).mode & 0o777).toBe(0o644);
    expect((await stat(files.ca)).mode & 0o777).toBe(0o644);
  });

  it('are refused when they do not belong together or are not there', async () => {
    const where = join(directory, 'mixed');
    const files = await writeCredentials(where, 'node', await issue(authority, pg0));
    const { certificatePem } = await issue(authority, pg0);
    await writeFile(files.certificate, certificatePem);
    await expect(readCredentials(files)).rejects.toMatchObject({ code: 'CERTIFICATE_REFUSED' });
    await writeFile(files.key, 'no key');
    await expect(readCredentials(files)).rejects.toThrow(/key can't be read/);
    await rm(files.ca);
    await expect(readCredentials(files)).rejects.toThrow(/ca\.crt/);
    await expect(describeInPromise('nonsense')).rejects.toMatchObject({ code: 'CERTIFICATE_REFUSED' });
  });

  async function describeInPromise(pem: string) {
    return describeCertificate(pem);
  }
});

describe('a signing request', () => {
  it('gives its key, and nothing else of it', async () => {
    const { requestPem, keyPem } = createSigningRequest();
    const certificatePem = await issueFor(authority, pg0, await requestedKey(requestPem));
    const certificate = new X509Certificate(certificatePem);
    expect(certificate.checkPrivateKey(createPrivateKey(keyPem))).toBe(true);
    expect(describeCertificate(certificatePem)).toMatchObject({ subject: 'CN=pg0.iad1', server: true });
    expect(await requestedKey(requestForKey(keyPem))).toMatchObject({ type: 'public' });
    const { code } = await run('openssl', ['req', '-noout', '-verify'], { withinMs: 10_000, input: requestPem });
    expect(code).toBe(0);
  });

  it('made by openssl with wishes of its own gets none of them', async () => {
    const wishes = ['-subj', '/CN=operator:ernest', '-addext', 'basicConstraints=CA:TRUE', '-addext'];
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', join(directory, 'x.key')];
    const args = ['req', '-new', ...key, ...wishes, 'subjectAltName=URI:understudy://psf/operator/ernest'];
    const { stdout } = await run('openssl', args, { withinMs: 10_000 });
    const certificatePem = await issueFor(authority, pg0, await requestedKey(stdout));
    expect(certificatePem).not.toBe('');
    const { holder, isAuthority, subject } = describeCertificate(certificatePem);
    expect({ holder, isAuthority, subject }).toEqual({
      ...{ isAuthority: false, subject: 'CN=pg0.iad1', holder: { cluster: 'psf', kind: 'node', name: 'pg0.iad1' } },
    });
  });

  it('is refused without a proof of its key, for another kind of key, and when it is none', async () => {
    const text = createSigningRequest().requestPem.replace(/-----.*-----/g, '');
    const stolen = Buffer.from(text, 'base64');
    stolen[stolen.length - 1] = (stolen.at(-1) ?? 0) ^ 1; // the last byte of its signature
    const pem = (der: Buffer) =>
      `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`;
    const rsa = ['req', '-new', '-newkey', 'rsa:2048', '-nodes', '-keyout', join(directory, 'r.key'), '-subj', '/CN=x'];
    const { stdout } = await run('openssl', rsa, { withinMs: 10_000 });
    for (const wrong of ['', 'x', pem(Buffer.alloc(9)), pem(stolen), stdout, `${' '.repeat(20_000)}`]) {
      await expect(requestedKey(wrong), wrong.slice(0, 40)).rejects.toMatchObject({ code: 'CERTIFICATE_REFUSED' });
    }
  });
});

describe('a list of revoked certificates', () => {
  it('is read by openssl, and obeyed', async () => {
    const validity = days(30);
    const root = await createRoot({ cluster: 'psf', ...validity });
    const issuing = await createIssuing(root, { cluster: 'psf', ...validity });
    const [good, bad] = [await issue(issuing, pg0), await issue(issuing, pg0)];
    const { serial } = describeCertificate(bad.certificatePem);
    const lists = [
      await revocationList(issuing, [{ serial, atMs: Date.now() }], Date.now()),
      await revocationList(root, [], Date.now()),
    ].join('');
    expect(lists.match(/-----BEGIN X509 CRL-----/g)).toHaveLength(2);
    const { stdout } = await run('openssl', ['crl', '-noout', '-text'], { withinMs: 10_000, input: lists });
    expect(stdout).toContain(`Serial Number: ${serial}`);
    const file = join(directory, 'lists.crl');
    await writeFile(file, lists);
    const options = ['-crl_check_all', '-CRLfile', file];
    expect(await verify(good.certificatePem, options, issuing)).toBe('');
    expect(await verify(bad.certificatePem, options, issuing)).toContain('certificate revoked');
    const { validTo } = new X509Certificate(issuing.certificatePem);
    expect(stdout).toContain(`Next Update: ${validTo}`);
  });
});
