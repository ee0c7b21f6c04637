import { beforeEach, describe, expect, it } from 'vitest';
import { HandClock } from '../../test/fixtures/hand-clock.ts';
import type { CertificatePurpose } from '../core/certificates.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { CertificateFiles } from '../ports/certificates.ts';
import { type CertificateSource, type RenewalParts, renewForEver } from './certificate-renewal.ts';

const lifeMs = 120_000;

interface World {
  readonly ended: AbortController;
  readonly told: [string, unknown][];
  readonly asked: { readonly atMs: number; readonly purposes: readonly CertificatePurpose[] }[];
  readonly handedMs: number[];
  readonly issuedMs: Map<CertificatePurpose, number>;
  source: CertificateSource;
  renewed: () => Promise<void>;
  declaredLifeMs: number | null;
  /** Until it is asked about. */
  readonly outdated: Set<CertificatePurpose>;
}
let world: World;
let clock: HandClock;

beforeEach(() => {
  const ended = new AbortController();
  clock = new HandClock(() => {
    if (clock.nowMs > 400_000) ended.abort();
  });
  world = {
    ended,
    outdated: new Set(),
    ...{ told: [], asked: [], handedMs: [], declaredLifeMs: null },
    issuedMs: new Map([
      ['node', 0],
      ['sealing', 0],
    ]),
    source: async (wishes) => wishes.map(({ purpose }) => ({ purpose, chain: 'new' })),
    renewed: async () => void world.handedMs.push(clock.nowMs),
  };
});

/** A sealing certificate here lives for a year. */
function files(): CertificateFiles {
  return {
    purposes: ['node', 'sealing'],
    look: (purpose) => {
      const issuedAtMs = world.issuedMs.get(purpose) ?? 0;
      const endsAtMs = issuedAtMs + (purpose === 'node' ? lifeMs : 365 * 86_400_000);
      return { purpose, serial: 'A', life: { issuedAtMs, endsAtMs } };
    },
    records: () => [],
    wish: (purpose) => ({ purpose, request: 'request' }),
    put: async (issued) => {
      for (const { purpose } of issued) world.issuedMs.set(purpose, clock.nowMs);
    },
  };
}

async function run(others: readonly CertificateSource[] = []): Promise<void> {
  const parts: RenewalParts = {
    files: files(),
    isOutdated: (purpose) => world.outdated.delete(purpose),
    sources: () => [
      async (wishes) => {
        world.asked.push({ atMs: clock.nowMs, purposes: wishes.map(({ purpose }) => purpose) });
        return await world.source(wishes);
      },
      ...others,
    ],
    declaredLifeMs: () => world.declaredLifeMs,
    renewed: () => world.renewed(),
    clock,
    draw: () => 0,
    signal: world.ended.signal,
    tell: (name, facts) => void world.told.push([name, facts]),
  };
  await renewForEver(parts);
}

describe('renewal', () => {
  it('comes after two thirds of each life, of what is due alone, and is handed on', async () => {
    await run();
    expect(world.asked.map(({ purposes }) => purposes)).toEqual(world.asked.map(() => ['node']));
    const at = world.asked.map(({ atMs }) => atMs);
    expect(at[0]).toBe(81_000);
    for (const [index, one] of at.slice(1).entries()) expect(one - (at[index] ?? 0)).toBe(80_000);
    expect(world.handedMs).toEqual(at);
    expect(world.told.every(([name]) => name === 'certificate.renewed')).toBe(true);
  });

  it('comes at once when a shorter life is declared, but not for what is sealed with', async () => {
    world.declaredLifeMs = 1_000;
    await run();
    expect(world.asked[0]).toEqual({ atMs: 1_000, purposes: ['node'] });
  });

  it('comes at once for what rests on a root that is to be left, also for what is sealed with', async () => {
    world.outdated.add('sealing');
    await run();
    expect(world.asked[0]?.purposes).toEqual(['sealing']);
    expect(world.asked[0]?.atMs).toBeLessThan(10_000);
  });

  it('is tried again, told once, and asked of the next who can sign', async () => {
    const refusal = new UnderstudyError('STORE_UNREACHABLE', 'no answer');
    world.source = async () => await Promise.reject(refusal);
    await run();
    expect(world.asked.length).toBeGreaterThan(10);
    expect(world.told).toEqual([['certificate.not_renewed', { because: 'no answer' }]]);
    expect(world.issuedMs.get('node')).toBe(0);
  });

  it('falls back on another signer in the same turn', async () => {
    world.source = async () => await Promise.reject(new UnderstudyError('NOT_FOUND', 'no issuing key yet'));
    await run([async (wishes) => wishes.map(({ purpose }) => ({ purpose, chain: 'new' }))]);
    expect(world.told.every(([name]) => name === 'certificate.renewed')).toBe(true);
    expect(world.handedMs.length).toBeGreaterThan(2);
  });

  it('that somebody did not take up is handed on again, and not asked for again', async () => {
    let fails = 3;
    world.renewed = async () => {
      fails -= 1;
      if (fails >= 0) throw new UnderstudyError('POOLER_TIMEOUT', 'no answer from the console');
      world.handedMs.push(clock.nowMs);
    };
    world.declaredLifeMs = null;
    clock.nowMs = 300_000;
    await run();
    expect(world.asked).toHaveLength(1);
  });

  it('does not hide a defect', async () => {
    world.source = async () => await Promise.reject(new TypeError('defect'));
    await expect(run()).rejects.toThrow('defect');
  });
});
