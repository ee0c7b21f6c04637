import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Authority, createIssuing, createRoot, type Root } from './authority.ts';
import { MemberList, memberListFile } from './member-list.ts';
import { revocationList } from './revocation-list.ts';

const nowMs = Date.now();
const validity = { cluster: 'psf', lifeMs: 400 * 86_400_000, nowMs };

let root: Root;
let issuing: Authority;
let stranger: Root;
let directory: string;
let revoked: readonly string[];

beforeAll(async () => {
  root = await createRoot(validity);
  issuing = await createIssuing(root, validity);
  stranger = await createRoot(validity);
});
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'understudy-member-'));
  revoked = [];
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const listOf = async (authority: Root, ...serials: readonly string[]) => ({
  authority: authority.certificatePem,
  list: await revocationList(
    authority,
    serials.map((serial) => ({ serial, atMs: nowMs })),
    nowMs,
  ),
});
const file = () => memberListFile({ certificate: join(directory, 'etcd.pem') });
const open = () =>
  new MemberList({
    file: file(),
    rootsPem: () => root.certificatePem,
    isRevoked: (serial) => revoked.includes(serial),
  });

describe('the list of a member of the store', () => {
  it('is the fullest one that a trusted authority has signed, whole, and one alone', async () => {
    const [empty, full] = [await listOf(root), await listOf(issuing, '4A', '4B')];
    expect(await open().renew([empty])).toBe(true);
    expect(readFileSync(file(), 'utf8')).toBe(empty.list);
    expect(await open().renew([empty, full, await listOf(stranger, '4A', '4B', '4C')])).toBe(true);
    expect(readFileSync(file(), 'utf8')).toBe(full.list);
    expect(await open().renew([empty, full])).toBe(false);
    expect(readdirSync(directory)).toEqual(['etcd.crl']);
  });

  it('loses nothing that is to be remembered, whatever the store says later, and is never taken away', async () => {
    const [one, two] = [await listOf(issuing, '4A'), await listOf(issuing, '4A', '4B')];
    revoked = ['4A', '4B'];
    await open().renew([two]);
    expect(await open().renew([one])).toBe(false);
    expect(await open().renew([])).toBe(false);
    expect(await open().renew([{ ...one, list: 'damaged' }])).toBe(false);
    expect(readFileSync(file(), 'utf8')).toBe(two.list);
    revoked = ['4A'];
    expect(await open().renew([one])).toBe(true);
  });

  it('is put right when somebody damaged it', async () => {
    writeFileSync(file(), 'nothing of that kind');
    expect(await open().renew([await listOf(issuing, '4A')])).toBe(true);
  });
});
