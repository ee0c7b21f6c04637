import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Authority, createIssuing, createRoot } from './authority.ts';
import { keyIn, readCredentials, writeCombined, writeCredentials } from './credential-files.ts';
import { issue } from './issue.ts';
import { performIssuing } from './issuer.ts';
import { type IssuingTask, issuingAnswer, issuingKeyPlace } from './issuing-task.ts';
import { leafFiles } from './leaf-files.ts';
import { seal } from './seal.ts';
import { type SealingKey, verifySealingKey } from './sealing-key.ts';

const cluster = 'psf';
const nowMs = Date.now();
const validity = { lifeMs: 365 * 86_400_000, nowMs };
const directory = mkdtempSync(join(tmpdir(), 'understudy-issuer-'));
let authority: Authority;
let pg0: SealingKey;
let task: Omit<IssuingTask, 'work'>;
let chains: Record<'pg1' | 'web0', string>;

afterAll(() => rmSync(directory, { recursive: true, force: true }));
beforeAll(async () => {
  const root = await createRoot({ cluster, ...validity });
  authority = await createIssuing(root, { cluster, ...validity });
  const sealingOf = (node: string, role: 'database' | 'app') =>
    issue(authority, { kind: 'sealing', cluster, node, role, ...validity });
  const files = await sealingOf('pg0', 'database');
  const { ca, certificate, key } = await writeCredentials(directory, 'sealing', files);
  const verified = verifySealingKey(files, 'pg0', { cluster, rootsPem: root.certificatePem }, nowMs);
  if (!verified.ok) throw new Error(verified.because);
  pg0 = verified.value;
  chains = {
    pg1: (await sealingOf('pg1', 'database')).certificatePem,
    web0: (await sealingOf('web0', 'app')).certificatePem,
  };
  const context = issuingKeyPlace('pg0');
  const secret = Buffer.from(JSON.stringify({ certificatePem: authority.certificatePem, keyPem: authority.keyPem }));
  const sealedKey = seal({ secret, cluster, context, to: pg0, by: pg0, nowMs });
  const place = { cluster, domain: 'psf.io', node: 'pg0', roots: ca };
  task = { ...place, sealing: { certificate, key }, sealedKey, nowMs, revoked: [] };
});

describe('the issuing process', () => {
  it('signs what was decided for keys that stay where they are, and they take their place', async () => {
    const old = await issue(authority, {
      ...{
        kind: 'node',
        cluster,
        domain: 'psf.io',
        node: 'pg0',
        role: 'database',
        addresses: ['10.0.0.1'],
        ...validity,
      },
    });
    const node = await writeCombined(directory, 'node', old);
    const sealing = task.sealing;
    const files = leafFiles({ node, sealing });
    expect(files.purposes).toEqual(['node', 'sealing']);
    const before = readFileSync(sealing.key, 'utf8');
    const wanted = files.purposes.map((purpose) => ({
      ...files.wish(purpose),
      ...{ node: 'pg0', role: 'database' as const, addresses: ['10.0.0.1'], lifeMs: 120_000 },
    }));
    const answer = issuingAnswer.parse(await performIssuing({ ...task, work: { do: 'sign', wanted } }));
    if (answer.outcome !== 'signed') throw new Error(JSON.stringify(answer));
    expect(answer.signed.map(({ record }) => record)).toMatchObject([
      { kind: 'node', name: 'pg0', hostNames: ['pg0', 'pg0.psf.io', 'postgresql.psf.io'], keyType: 'P-256' },
      { kind: 'sealer', name: 'pg0', hostNames: [] },
    ]);
    await files.put(answer.signed);
    const { keyPem, certificatePem } = await readCredentials(node);
    expect(keyPem).not.toBe(keyIn(old.keyPem));
    expect(new X509Certificate(certificatePem).serialNumber).toBe(answer.signed[0]?.record.serial);
    expect(statSync(node.key).mode & 0o777).toBe(0o600);
    expect(readFileSync(sealing.key, 'utf8')).toBe(before);
    expect(readdirSync(directory).filter((name) => name.endsWith('.new'))).toEqual([]);
    expect(files.look('node')?.life.endsAtMs).toBe(Math.floor((nowMs + 120_000) / 1_000) * 1_000);
  });

  it('puts nothing in place that is not for the key that was asked for', async () => {
    const files = leafFiles({ sealing: task.sealing });
    await expect(files.put([{ purpose: 'sealing', chain: pg0.chainPem }])).rejects.toThrow('nobody asked for it');
    files.wish('sealing');
    await expect(files.put([{ purpose: 'sealing', chain: chains.pg1 }])).rejects.toThrow('not for the key');
    await expect(files.put([{ purpose: 'sealing', chain: '' }])).rejects.toThrow('not for the key');
  });

  it('hands the key to database nodes alone, and what it sealed opens there', async () => {
    const to = [
      { node: 'pg1', chainPem: chains.pg1 },
      { node: 'web0', chainPem: chains.web0 },
      { node: 'pg2', chainPem: chains.pg1 },
      { node: 'pg3', chainPem: 'x' },
    ];
    const answer = await performIssuing({ ...task, work: { do: 'share', to } });
    expect(answer).toMatchObject({ outcome: 'shared', shared: [{ node: 'pg1' }] });
    const revoked: [string, number][] = [[new X509Certificate(chains.pg1).serialNumber, nowMs]];
    expect(await performIssuing({ ...task, revoked, work: { do: 'share', to } })).toMatchObject({ shared: [] });
  });

  it('says why it can not, and nothing of the key', async () => {
    const wanted = [
      { purpose: 'node', request: 'x', node: 'pg0', role: 'database', addresses: [], lifeMs: 1 },
    ] as const;
    const work = { do: 'sign' as const, wanted: wanted.map((one) => ({ ...one, addresses: [] })) };
    const missing = { ...task, sealing: { ...task.sealing, key: join(directory, 'none') } };
    const damaged = join(directory, 'damaged.key');
    writeFileSync(damaged, 'x');
    for (const wrong of [
      { ...task, work },
      { ...task, node: 'pg1', work },
      { ...task, sealedKey: task.sealedKey.replace('"to":"pg0"', '"to":"pg1"'), work },
      { ...task, cluster: 'python', work },
      { ...missing, work },
      { ...task, sealing: { ...task.sealing, key: damaged }, work },
    ]) {
      const answer = await performIssuing(wrong);
      expect(answer.outcome).toBe('refused');
      expect(JSON.stringify(answer)).not.toMatch(/PRIVATE|MIG/);
    }
  });
});
