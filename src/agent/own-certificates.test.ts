import { beforeEach, describe, expect, it } from 'vitest';
import { HandClock } from '../../test/fixtures/hand-clock.ts';
import type { CertificateWish } from '../core/certificates.ts';
import { defaultApplicationFiles, type OwnCertificateSpec } from '../core/spec.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { PlacedCertificate } from '../ports/own-certificates.ts';
import { OwnCertificates } from './own-certificates.ts';

const lifeMs = 120_000;
const own = (name: string, reload: OwnCertificateSpec['reload'] = null): OwnCertificateSpec => ({
  ...{ name, lifeMs, roles: ['web'], reload, files: defaultApplicationFiles },
});

let clock: HandClock;
let wanted: readonly OwnCertificateSpec[] | null;
let placed: Map<string, PlacedCertificate>;
let asked: (string | undefined)[];
let refusal: UnderstudyError | null;
let hookFailure: UnderstudyError | null;
let hooks: number;
let told: string[];

beforeEach(() => {
  [wanted, refusal, hookFailure, hooks] = [[own('web.example.org', ['true'])], null, null, 0];
  [clock, placed, asked, told] = [new HandClock(), new Map(), [], []];
});

function certificates(): OwnCertificates {
  return new OwnCertificates({
    isOutdated: () => false,
    wanted: () => wanted,
    clock,
    draw: () => 0,
    signal: new AbortController().signal,
    tell: (name, { certificate }) => told.push(`${name} ${String(certificate)}`),
    sources: () => [
      async (wishes: readonly CertificateWish[]) => {
        asked.push(...wishes.map(({ name }) => name));
        if (refusal !== null) throw refusal;
        return wishes.map(({ purpose }) => ({ purpose, chain: 'chain' }));
      },
    ],
    files: {
      look: ({ name }) => placed.get(name) ?? null,
      request: () => 'request',
      async put({ name, reload }) {
        const issuedAtMs = clock.wallClock().getTime();
        placed.set(name, { life: { issuedAtMs, endsAtMs: issuedAtMs + lifeMs }, isTakenUp: reload === null });
      },
      async takeUp({ name }) {
        hooks += 1;
        if (hookFailure !== null) throw hookFailure;
        const found = placed.get(name);
        if (found !== undefined) placed.set(name, { ...found, isTakenUp: true });
      },
      placed: () => [...placed.keys()],
      remove: (name) => void placed.delete(name),
    },
  });
}

describe('own certificates on a node', () => {
  it('are asked for once, taken up once, and renewed after two thirds of their life', async () => {
    const keeping = certificates();
    await keeping.turn();
    await keeping.turn();
    expect({ asked, hooks }).toEqual({ asked: ['web.example.org'], hooks: 1 });
    clock.nowMs += 79_000;
    await keeping.turn();
    expect(asked).toHaveLength(1);
    clock.nowMs += 2_000;
    await keeping.turn();
    expect({ asked: asked.length, hooks, trouble: keeping.trouble }).toEqual({ asked: 2, hooks: 2, trouble: null });
  });

  it('stay as they are until it is known what there shall be, and go when they are declared no more', async () => {
    const keeping = certificates();
    await keeping.turn();
    wanted = null;
    await keeping.turn();
    expect([...placed.keys()]).toEqual(['web.example.org']);
    wanted = [];
    await keeping.turn();
    expect([...placed.keys()]).toEqual([]);
    expect(told).toEqual(['certificate.placed web.example.org', 'certificate.withdrawn web.example.org']);
  });

  it('tell of a hook that fails once, and run it again until it succeeds', async () => {
    hookFailure = new UnderstudyError('PROCESS_FAILED', 'nginx is ill');
    const keeping = certificates();
    await keeping.turn();
    await keeping.turn();
    expect(hooks).toBe(1);
    clock.nowMs += 5_000;
    await keeping.turn();
    expect({ hooks, told }).toEqual({
      hooks: 2,
      told: ['certificate.placed web.example.org', 'certificate.reload_failed web.example.org'],
    });
    expect(keeping.findings()).toMatchObject([{ verdict: 'failure', text: expect.stringContaining('nginx is ill') }]);
    hookFailure = null;
    clock.nowMs += 10_000;
    await keeping.turn();
    expect({ hooks, trouble: keeping.trouble, asked: asked.length }).toEqual({ hooks: 3, trouble: null, asked: 1 });
  });

  it('don’t wait for one another', async () => {
    wanted = [own('a.example.org'), own('b.example.org')];
    refusal = new UnderstudyError('FORBIDDEN', 'no');
    const keeping = certificates();
    await keeping.turn();
    expect(asked).toEqual(['a.example.org', 'b.example.org']);
    expect(keeping.trouble).toContain('a.example.org');
    refusal = null;
    clock.nowMs += 5_000;
    await keeping.turn();
    expect([...placed.keys()]).toEqual(['a.example.org', 'b.example.org']);
  });
});
