import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Authority, createIssuing, createRoot } from './authority.ts';
import { issue } from './issue.ts';
import { seal, unseal } from './seal.ts';
import { type SealingKey, type Verified, verifySealingCertificate, verifySealingKey } from './sealing-key.ts';
import type { Trust } from './trust.ts';

const dayMs = 24 * 60 * 60_000;
const nowMs = Date.parse('2026-11-21T12:00:00Z');
const validity = { lifeMs: 365 * dayMs, nowMs };
const cluster = 'psf';
const context = 'secrets/web0/shop';

interface World {
  readonly authority: Authority;
  readonly trust: Trust;
  readonly pg0: SealingKey;
  readonly web0: SealingKey;
  readonly web1: SealingKey;
}
let world: World;

async function found(name = cluster): Promise<Pick<World, 'authority' | 'trust'>> {
  const root = await createRoot({ cluster: name, lifeMs: 3_650 * dayMs, nowMs });
  return {
    authority: await createIssuing(root, { cluster: name, ...validity }),
    trust: { rootsPem: root.certificatePem, cluster },
  };
}

async function keyOf(authority: Authority, trust: Trust, node: string, role: 'database' | 'app'): Promise<SealingKey> {
  const files = await issue(authority, { kind: 'sealing', cluster, node, role, ...validity });
  return must(verifySealingKey(files, node, trust, nowMs));
}

function must<T>(verified: Verified<T>): T {
  if (!verified.ok) throw new Error(verified.because);
  return verified.value;
}

beforeAll(async () => {
  const { authority, trust } = await found();
  world = {
    authority,
    trust,
    pg0: await keyOf(authority, trust, 'pg0', 'database'),
    web0: await keyOf(authority, trust, 'web0', 'app'),
    web1: await keyOf(authority, trust, 'web1', 'app'),
  };
});

function sealed(secret: Uint8Array | string = 'secret', by = world.pg0): string {
  return seal({ secret: Buffer.from(secret), cluster, context, to: world.web0, by, nowMs });
}

describe('what is sealed', () => {
  it('opens for its node and its place, whatever it is, and says by whom and when', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.string({ unit: 'binary' }), (bytes, place) => {
        const text = seal({ secret: bytes, cluster, context: place, to: world.web0, by: world.pg0, nowMs });
        expect(text).not.toContain('\n');
        expect(unseal(text, place, world.web0, world.trust)).toEqual({
          ...{ ok: true, secret: Buffer.from(bytes), sealedBy: 'pg0', sealedAtMs: nowMs },
        });
      }),
      { numRuns: 50 },
    );
  });

  it('is refused with a bit of it flipped, in whichever byte', () => {
    const bytes = Buffer.from(sealed());
    // Every ninth: each byte has its turn, and each place in a byte. All of them take twenty seconds.
    for (let bit = 0; bit < bytes.length * 8; bit += 9) {
      const flipped = Buffer.from(bytes);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(unseal(flipped.toString('latin1'), context, world.web0, world.trust).ok, `bit ${bit}`).toBe(false);
    }
  });

  it('is refused with any part of it taken from another, or cut, or spelled otherwise', () => {
    const [one, other] = [JSON.parse(sealed('a')), JSON.parse(sealed('b'))];
    for (const part of ['ephemeral', 'text', 'signature']) {
      const mixed = JSON.stringify({ ...one, [part]: other[part] });
      expect(unseal(mixed, context, world.web0, world.trust).ok, part).toBe(false);
    }
    const text = sealed();
    for (const wrong of [
      ...['', '{}', 'null', text.slice(0, -1), ` ${text}`, `${text}\n`, text.replace(':', ': ')],
      text.replace('{"version":1,', '{"version":1,"version":1,'),
      JSON.stringify({ ...JSON.parse(text), more: 1 }),
    ]) {
      expect(unseal(wrong, context, world.web0, world.trust)).toMatchObject({ ok: false, refusal: 'malformed' });
    }
  });

  it('is refused for another place, another node, another cluster, and a key of before', async () => {
    const text = sealed();
    const refusal = (where: string, key: SealingKey, trust = world.trust) => unseal(text, where, key, trust);
    expect(refusal('secrets/web0/wiki', world.web0)).toMatchObject({ refusal: 'other-context' });
    expect(refusal(context, world.web1)).toMatchObject({ refusal: 'other-key' });
    expect(refusal(context, { ...world.web1, node: 'web0' })).toMatchObject({ refusal: 'other-key' });
    expect(refusal(context, await keyOf(world.authority, world.trust, 'web0', 'app'))).toMatchObject({
      refusal: 'other-key',
    });
    expect(refusal(context, world.web0, { ...world.trust, cluster: 'python' })).toMatchObject({
      refusal: 'other-cluster',
    });
    const wrongKey = { ...world.web0, privateKey: world.web1.privateKey };
    expect(refusal(context, wrongKey)).toMatchObject({ refusal: 'undecipherable' });
  });

  it('is believed of database nodes of this authority alone', async () => {
    const foreign = await found();
    const stranger = await keyOf(foreign.authority, foreign.trust, 'pg0', 'database');
    for (const by of [world.web1, stranger, { ...stranger, chainPem: world.pg0.chainPem }]) {
      const { ok, ...told } = unseal(sealed('x', by), context, world.web0, world.trust);
      expect(ok).toBe(false);
      expect(told).toMatchObject({ refusal: expect.stringMatching(/^sign/) });
    }
    const node = await issue(world.authority, {
      ...{ kind: 'node', cluster, node: 'pg0', role: 'database', domain: 'psf.io', addresses: [], ...validity },
    });
    const byLeaf = { ...world.pg0, chainPem: node.certificatePem };
    expect(unseal(sealed('x', byLeaf), context, world.web0, world.trust)).toMatchObject({
      refusal: 'signer-untrusted',
      because: expect.stringContaining('kind node'),
    });
  });

  it('is refused when its signer had been revoked by then, and not because that one has expired', async () => {
    const brief = await issue(world.authority, {
      ...{ kind: 'sealing', cluster, node: 'pg1', role: 'database', lifeMs: 60_000, nowMs },
    });
    const by = must(verifySealingKey(brief, 'pg1', world.trust, nowMs));
    expect(verifySealingKey(brief, 'pg1', world.trust, nowMs + 60_001)).toMatchObject({ ok: false });
    const text = sealed('x', by);
    expect(unseal(text, context, world.web0, world.trust)).toMatchObject({ ok: true });
    const late = seal({ secret: Buffer.from('x'), cluster, context, to: world.web0, by, nowMs: nowMs + 60_001 });
    expect(unseal(late, context, world.web0, world.trust)).toMatchObject({ refusal: 'signer-untrusted' });
    const { X509Certificate } = await import('node:crypto');
    const { serialNumber } = new X509Certificate(brief.certificatePem);
    const since = (ms: number) => new Map([[serialNumber, ms]]);
    const opened = (ms: number) => unseal(text, context, world.web0, { ...world.trust, revoked: since(ms) });
    expect(opened(nowMs)).toMatchObject({ refusal: 'signer-untrusted' });
    expect(opened(nowMs + 1)).toMatchObject({ ok: true });
    // To seal with it, or to it, is refused whatever the clock says.
    expect(verifySealingKey(brief, 'pg1', { ...world.trust, revoked: since(nowMs + 1) }, nowMs)).toMatchObject({
      ok: false,
      because: expect.stringContaining('has been revoked'),
    });
  });
});

describe('a sealing certificate', () => {
  it('is taken for its own node alone, of this authority, and of its kind', async () => {
    const verify = (node: string, pem: string, trust = world.trust) =>
      verifySealingCertificate(pem, node, trust, nowMs);
    expect(verify('web0', world.web0.chainPem)).toMatchObject({ ok: true, value: { node: 'web0', maySeal: false } });
    expect(verify('pg0', world.pg0.chainPem)).toMatchObject({ ok: true, value: { maySeal: true } });
    expect(verify('web1', world.web0.chainPem)).toMatchObject({ ok: false, because: expect.stringContaining('web0') });
    expect(verify('web0', world.web0.chainPem, (await found()).trust)).toMatchObject({ ok: false });
    const [leaf = ''] = world.web0.chainPem.split(/(?<=-----END CERTIFICATE-----\n)/);
    for (const pem of [
      '',
      leaf,
      `${leaf}${world.trust.rootsPem}`,
      world.trust.rootsPem,
      `${world.web0.chainPem}${leaf}`,
    ]) {
      expect(verify('web0', pem)).toMatchObject({ ok: false });
    }
  });

  it('is refused with the key of another', async () => {
    const [one, other] = await Promise.all(
      ['web0', 'web0'].map((node) =>
        issue(world.authority, { kind: 'sealing', cluster, node, role: 'app', ...validity }),
      ),
    );
    if (one === undefined || other === undefined) throw new Error('none issued');
    expect(verifySealingKey({ ...one, keyPem: other.keyPem }, 'web0', world.trust, nowMs)).toMatchObject({ ok: false });
    expect(verifySealingKey({ ...one, keyPem: 'x' }, 'web0', world.trust, nowMs)).toMatchObject({ ok: false });
  });
});
