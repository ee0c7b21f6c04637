import { beforeEach, describe, expect, it } from 'vitest';
import { HandClock } from '../../test/fixtures/hand-clock.ts';
import type { TrustRecord, TrustStatement } from '../core/trust-record.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { TrustKeeping } from './trust-keeping.ts';

let taken: TrustStatement | null;
let wanted: TrustRecord | null;
let orphans: string[];
let [takenUp, reported]: [number, number[]] = [0, []];
let told: [string, unknown][];
let failure: Error | null;

beforeEach(() => {
  [taken, wanted, orphans, takenUp, reported, told, failure] = [null, null, [], 0, [], [], null];
});

/** A document that begins with `!` is none of a trusted root. */
const said = (number: number, document = 'roots'): TrustRecord => ({ number, document, signature: 'by a root' });

function keeping(): TrustKeeping {
  return new TrustKeeping({
    files: {
      taken: () => taken,
      judge: ({ document, number }) =>
        document.startsWith('!')
          ? { ok: false, because: 'no root that is trusted here has signed it' }
          : { ok: true, statement: { number, rootsPem: document, issueFrom: 'AB' } },
      orphans: () => orphans,
      put: async (statement) => {
        taken = statement;
      },
    },
    wanted: () => wanted,
    takeUp: async () => {
      if (failure !== null) throw failure;
      takenUp += 1;
    },
    report: async (number) => void reported.push(number),
    clock: new HandClock(() => undefined),
    signal: new AbortController().signal,
    tell: (name, facts) => void told.push([name, facts]),
  });
}

describe('keeping to the roots', () => {
  it('takes over what is newer, has it taken up, and says so', async () => {
    const one = keeping();
    await one.turn();
    expect([one.inForce, reported]).toEqual([null, []]);
    wanted = said(1);
    await one.turn();
    await one.turn();
    expect([one.inForce, takenUp, taken?.number]).toEqual([1, 1, 1]);
    expect(told).toEqual([['trust.taken', { number: 1 }]]);
    taken = { number: 5, rootsPem: 'roots', issueFrom: 'AB' };
    wanted = said(4);
    await one.turn();
    expect(taken.number).toBe(5);
  });

  it('refuses what no trusted root has said, and what would leave its own certificates without a root, once told', async () => {
    const one = keeping();
    wanted = said(1, '!forged');
    await one.turn();
    await one.turn();
    [wanted, orphans] = [said(2), ['node', 'sealing']];
    await one.turn();
    expect([taken, one.inForce]).toEqual([null, null]);
    expect(told.map(([name]) => name)).toEqual(['trust.refused', 'trust.refused']);
    expect(told[1]?.[1]).toMatchObject({ because: expect.stringContaining('node, sealing') });
  });

  it('does not say so before everybody has taken it up', async () => {
    const one = keeping();
    [wanted, failure] = [said(1), new UnderstudyError('POOLER_FAILED', 'it does not answer')];
    await one.turn();
    expect([one.inForce, reported]).toEqual([null, []]);
    failure = null;
    await one.turn();
    expect([one.inForce, reported]).toEqual([1, [1]]);
  });
});
