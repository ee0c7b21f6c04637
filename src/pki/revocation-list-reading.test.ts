import { beforeAll, describe, expect, it } from 'vitest';
import { type Authority, createIssuing, createRoot, type Root } from './authority.ts';
import { issue } from './issue.ts';
import { revocationList } from './revocation-list.ts';
import { bundleOf, readRevocationList } from './revocation-list-reading.ts';

const nowMs = Date.parse('2026-11-21T12:00:00Z');
const dayMs = 86_400_000;
const cluster = 'psf';
const serials = ['4A0000000000000000000000000000FF', '7FAB'];
const entries = serials.map((serial) => ({ serial, atMs: nowMs - dayMs }));

let root: Root;
let otherRoot: Root;
let issuing: Authority;
let next: Authority;
let stranger: Authority;
let leaf: string;

beforeAll(async () => {
  const validity = { cluster, lifeMs: 400 * dayMs, nowMs };
  root = await createRoot({ ...validity, lifeMs: 40 * 365 * dayMs });
  otherRoot = await createRoot(validity);
  issuing = await createIssuing(root, validity);
  next = await createIssuing(root, validity);
  stranger = await createIssuing(otherRoot, validity);
  const request = { kind: 'store-client', cluster, name: 'pg0', lifeMs: dayMs, nowMs } as const;
  leaf = (await issue(next, request)).certificatePem;
});

const listOf = async (authority: Root, revoked = entries, atMs = nowMs) => ({
  authority: authority.certificatePem,
  list: await revocationList(authority, revoked, atMs),
});

describe('a list', () => {
  it('is read as it was written, with dates beyond 2050 too', async () => {
    const reading = readRevocationList(await listOf(issuing));
    if (!reading.ok) throw new Error(reading.because);
    expect([...reading.list.serials]).toEqual(serials);
    expect(reading.list).toMatchObject({ isRoot: false, issuedAtMs: nowMs - 3_600_000 });
    const ofRoot = readRevocationList(await listOf(root, []));
    if (!ofRoot.ok) throw new Error(ofRoot.because);
    expect(ofRoot.list).toMatchObject({ isRoot: true, serials: new Set() });
    expect(ofRoot.list.endsAtMs).toBe(nowMs + 40 * 365 * dayMs);
  });

  it('is refused when another signed it, when a byte of it differs, or when it is none', async () => {
    const good = await listOf(issuing);
    expect(readRevocationList({ ...good, authority: next.certificatePem })).toMatchObject({ ok: false });
    expect(readRevocationList({ ...good, authority: leaf })).toMatchObject({ because: 'its authority is none' });
    expect(readRevocationList({ ...good, list: 'x' })).toMatchObject({ because: 'it is no list in PEM' });
    const [, body = ''] = /-----\n([^-]+)-----END/.exec(good.list) ?? [];
    const bytes = Buffer.from(body, 'base64');
    const inPem = (der: Buffer) => `-----BEGIN X509 CRL-----\n${der.toString('base64')}\n-----END X509 CRL-----\n`;
    expect(readRevocationList({ ...good, list: inPem(bytes) })).toMatchObject({ ok: true });
    for (let at = 0; at < bytes.length; at += 1) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(readRevocationList({ ...good, list: inPem(changed) }).ok, `byte ${at}`).toBe(false);
      expect(readRevocationList({ ...good, list: inPem(bytes.subarray(0, at)) }).ok, `${at} bytes`).toBe(false);
    }
  });
});

describe('a bundle', () => {
  const trust = (chainsPem: readonly string[] = []) => ({ rootsPem: root.certificatePem, chainsPem });

  it('has the list of every authority in a chain, the root among them', async () => {
    const records = [await listOf(root, []), await listOf(issuing)];
    const bundle = bundleOf(records, trust(), nowMs);
    if (!bundle.ok) throw new Error(bundle.because);
    expect(bundle.pem.match(/BEGIN X509 CRL/g)).toHaveLength(2);
    expect(bundleOf(records.slice(1), trust(), nowMs)).toMatchObject({ ok: false });
    expect(bundleOf([], trust(), nowMs)).toMatchObject({ ok: false });
  });

  it('is none when an authority in use has no list, or one that is damaged or of another time', async () => {
    const records = [await listOf(root, []), await listOf(issuing)];
    expect(bundleOf(records, trust([leaf]), nowMs)).toMatchObject({ because: expect.stringContaining('no list of') });
    expect(bundleOf([...records, await listOf(next)], trust([leaf]), nowMs)).toMatchObject({ ok: true });
    const early = await listOf(next, entries, nowMs + 2 * 3_600_000);
    expect(bundleOf([...records, early], trust(), nowMs)).toMatchObject({ ok: false });
    const forged = { authority: next.certificatePem, list: (await listOf(issuing)).list };
    expect(bundleOf([...records, forged], trust(), nowMs)).toMatchObject({ ok: false });
  });

  it('has nothing of authorities that nobody trusts', async () => {
    const records = [await listOf(root, []), await listOf(issuing), await listOf(stranger)];
    const bundle = bundleOf(records, trust(), nowMs);
    expect(bundle.ok && bundle.pem.match(/BEGIN X509 CRL/g)).toHaveLength(2);
  });
});
