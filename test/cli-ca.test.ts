/** Founding a certificate authority, and looking at it: what openssl says of it, and what is refused. */
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCli } from '../src/cli/run-cli.ts';
import type { CliIo } from '../src/cli/terminal.ts';
import { founderRecords } from '../src/pki/founding.ts';
import { run } from '../src/process/run.ts';

let directory: string;
let passphraseFile: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'understudy-ca-'));
  passphraseFile = join(directory, 'passphrase');
  writeFileSync(passphraseFile, 'correct horse\n', { mode: 0o600 });
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

async function cli(argv: readonly string[], io: Partial<CliIo> = {}) {
  const [out, err]: [string[], string[]] = [[], []];
  const stdout = { write: (text: string) => void out.push(text) };
  const stderr = { write: (text: string) => void err.push(text) };
  const exit = await runCli(argv, { stdout, stderr, env: {}, cwd: directory, ...io });
  return { exit, out: out.join(''), err: err.join('') };
}

const init = (...more: string[]) => ['ca', 'init', '--cluster', 'psf', '--in', 'ca', ...more];
const byFile = ['--passphrase-file', 'passphrase'];
const openssl = (...args: string[]) => run('openssl', args, { withinMs: 10_000, anyExit: true });

describe('ca init', () => {
  it('founds an authority whose keys open with the passphrase alone, and tells how it stands', async () => {
    const subject = ['--organization', 'Python "Software" Foundation', '--country', 'US'];
    const { exit, out } = await cli(init(...byFile, ...subject));
    expect({ exit, out }).toMatchObject({
      exit: 0,
      out: expect.stringContaining('The authority of psf is founded in'),
    });
    const at = (name: string) => join(directory, 'ca', name);
    expect(readdirSync(join(directory, 'ca')).sort()).toEqual(
      ['issuing.crt', 'issuing.key', 'root.crl', 'root.crt', 'root.key'].sort(),
    );
    for (const name of ['root.key', 'issuing.key']) {
      expect(statSync(at(name)).mode & 0o777).toBe(0o600);
      expect((await openssl('pkey', '-noout', '-in', at(name), '-passin', `file:${passphraseFile}`)).code).toBe(0);
      expect((await openssl('pkey', '-noout', '-in', at(name), '-passin', 'pass:wrong')).code).not.toBe(0);
    }
    const verified = await openssl('verify', '-x509_strict', '-CAfile', at('root.crt'), at('issuing.crt'));
    expect(verified.stdout).toContain('OK');
    const text = (await openssl('x509', '-noout', '-text', '-in', at('root.crt'))).stdout;
    expect(text).toMatch(/Subject: C = ?US, O = ?.*Software.*CN = ?psf root/);
    expect(text).toContain('pathlen:1');
    expect((await openssl('x509', '-noout', '-text', '-in', at('issuing.crt'))).stdout).toContain('pathlen:0');
    const status = await cli(['ca', 'status', '--in', 'ca', '--json']);
    expect(status.exit).toBe(0);
    expect(JSON.parse(status.out)).toMatchObject({
      todo: [],
      parts: [
        { part: 'root', key: 'encrypted' },
        { part: 'issuing', key: 'encrypted' },
      ],
    });
  });

  it('takes the passphrase from a file descriptor, and from a terminal, twice', async () => {
    const fd = openSync(passphraseFile, 'r');
    try {
      expect((await cli(init('--passphrase-fd', String(fd), '--json'))).exit).toBe(0);
    } finally {
      closeSync(fd);
    }
    const answers = ['one passphrase', 'another one', 'the same one', 'the same one'];
    const askSecret = async () => answers.shift() ?? '';
    const other = ['ca', 'init', '--cluster', 'psf', '--in', 'other'];
    expect(await cli(other, { askSecret })).toMatchObject({ exit: 2, err: expect.stringContaining('differ') });
    expect((await cli(other, { askSecret })).exit).toBe(0);
  });

  it('is refused over another one, without a passphrase, and for what can not be', async () => {
    expect(await cli(init())).toMatchObject({ exit: 2, err: expect.stringContaining('--passphrase-file') });
    expect((await cli(init(...byFile, '--country', 'usa'))).exit).toBe(2);
    writeFileSync(passphraseFile, 'short\n');
    expect(await cli(init(...byFile))).toMatchObject({ exit: 2, err: expect.stringContaining('8 characters') });
    expect(readdirSync(directory)).toEqual(['passphrase']);
    writeFileSync(passphraseFile, 'correct horse\n');
    expect((await cli(init(...byFile))).exit).toBe(0);
    expect(await cli(init(...byFile))).toMatchObject({ exit: 3, err: expect.stringContaining('already (root.key)') });
  });
});

describe('ca status', () => {
  it('says what has to be done, and where there is none', async () => {
    expect(await cli(['ca', 'status', '--in', 'ca'])).toMatchObject({ exit: 2 });
    await cli(init(...byFile));
    writeFileSync(join(directory, 'ca', 'issuing.key'), '-----BEGIN PRIVATE KEY-----\n');
    expect(await cli(['ca', 'status', '--in', 'ca'])).toMatchObject({
      exit: 1,
      out: expect.stringMatching(/^To do: the key of the issuing authority is not encrypted\.\n/),
    });
  });
});

describe('ca first-node', () => {
  it('leaves beside the node what its agent tells the store: the list of the root, and who the first operator is', async () => {
    await cli(init(...byFile));
    const [db1, web1] = ['database: { db1: 10.0.1.10 }', 'app: { web1: 10.0.1.20 }'];
    const file = `cluster: psf\ndomain: psf.io\nnodes:\n  ${db1}\n  ${web1}\npostgres: 15\n`;
    writeFileSync(join(directory, 'cluster.yaml'), file);
    const places = ['node-file', 'state', 'run', 'log'].flatMap((one) => [`--${one}`, join(directory, 'db1', one)]);
    const user = process.getuid?.() === 0 ? ['--user', 'root'] : [];
    const made = await cli(['ca', 'first-node', 'cluster.yaml', '--in', 'ca', ...byFile, ...places, ...user]);
    expect({ exit: made.exit, err: made.err }).toMatchObject({ exit: 0 });
    const tls = join(directory, 'db1', 'state', 'tls');
    const read = (name: string) => readFileSync(join(tls, name), 'utf8');
    const rootList = readFileSync(join(directory, 'ca', 'root.crl'), 'utf8');
    expect([read('root.crl'), read('etcd.crl')]).toEqual([rootList, rootList]);
    const founder = founderRecords({ tls: { ca: join(tls, 'ca.crt') } }, new Date().toISOString());
    expect(founder).toMatchObject([{ kind: 'operator' }]);
    expect(read('first-operator.crt')).not.toContain('KEY');
    expect(founderRecords({ tls: { ca: join(tls, 'ca.crt') } }, '2999-01-01T00:00:00.000Z')).toEqual([]);
  });
});
