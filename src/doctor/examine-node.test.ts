import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { NodeFile } from '../config/node-file.ts';
import { createIssuing, createRoot } from '../pki/authority.ts';
import { writeCredentials } from '../pki/credential-files.ts';
import { issue } from '../pki/issue.ts';
import { examineNode } from './examine-node.ts';
import { checkCertificate, checkDataDirectory, checkReplaceable, checkRunDirectory } from './files.ts';

const dayMs = 86_400_000;
let directory: string;
let file: NodeFile;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'understudy-doctor-'));
  const validity = { lifeMs: 30 * dayMs, nowMs: Date.now() };
  const root = await createRoot({ cluster: 'psf', ...validity });
  const authority = await createIssuing(root, { cluster: 'psf', ...validity });
  const node = {
    kind: 'node',
    role: 'app',
    cluster: 'psf',
    node: 'web0',
    domain: 'psf.io',
    addresses: ['127.0.0.1'],
  } as const;
  const tls = await writeCredentials(
    join(directory, 'tls'),
    'node',
    await issue(authority, { ...node, ...validity, lifeMs: 7 * dayMs }),
  );
  file = {
    cluster: 'psf',
    domain: 'psf.io',
    node: 'web0',
    role: 'app',
    api: { address: '127.0.0.1', port: 1 },
    directories: { data: join(directory, 'data'), run: directory, log: directory, state: directory },
    tls,
    store: null,
    databaseAgents: [],
    binaries: { postgres: null, pgbouncer: '/no/such/pgbouncer' },
    pooler: { listenAddress: '127.0.0.1' },
  };
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe('examineNode', () => {
  it('finds what is wrong, with what to do, and nothing else', async () => {
    chmodSync(file.tls.key, 0o644);
    const found = (await examineNode(file, { postgres: 2, pooler: 2 })).filter(({ verdict }) => verdict === 'failure');
    expect(found.map(({ check }) => check).sort()).toEqual(['permissions', 'pgbouncer']);
    for (const { hint } of found) expect(hint).not.toBeNull();
  });

  it('does not fail on what is not there', async () => {
    const gone = join(directory, 'gone');
    const tls = { ca: gone, certificate: gone, key: gone };
    const found = await examineNode({ ...file, tls, directories: { ...file.directories, state: gone } });
    expect(found.filter(({ verdict }) => verdict === 'failure').map(({ check }) => check)).toContain('certificate');
  });
});

describe('certificates', () => {
  it.each([
    [0, 'ok'],
    [6 * dayMs, 'warning'],
    [8 * dayMs, 'failure'],
    [-2 * dayMs, 'failure'],
  ])('a seven-day one, %d ms later: %s', (laterMs, verdict) => {
    expect(checkCertificate(file.tls.certificate, Date.now() + laterMs).verdict).toBe(verdict);
  });
});

describe('the data directory', () => {
  const data = () => checkDataDirectory(file.directories.data);

  it('may be missing, empty, foreign, too open, or a cluster', () => {
    expect(data()).toMatchObject({ verdict: 'ok', text: expect.stringContaining('does not exist yet') });
    mkdirSync(file.directories.data, { mode: 0o700 });
    expect(data()).toMatchObject({ verdict: 'ok', text: expect.stringContaining('is empty') });
    writeFileSync(join(file.directories.data, 'letter.txt'), 'dear');
    expect(data().verdict).toBe('warning');
    writeFileSync(join(file.directories.data, 'PG_VERSION'), '17\n');
    expect(data()).toMatchObject({ verdict: 'ok', text: expect.stringContaining('PostgreSQL 17') });
    chmodSync(file.directories.data, 0o755);
    expect(data().verdict).toBe('failure');
  });

  it('must not be a mount point, nor have tablespaces', () => {
    expect(checkReplaceable(file.directories.data)).toEqual([]);
    mkdirSync(join(file.directories.data, 'pg_tblspc', '16400'), { recursive: true });
    expect(checkReplaceable(file.directories.data)).toMatchObject([{ check: 'tablespaces', verdict: 'failure' }]);
    expect(checkReplaceable('/proc')).toMatchObject([{ check: 'data directory', verdict: 'failure' }]);
  });
});

it('a run directory must leave room for a socket', () => {
  expect(checkRunDirectory('/run/understudy').verdict).toBe('ok');
  expect(checkRunDirectory(`/${'x'.repeat(100)}`).verdict).toBe('failure');
});
