import { beforeAll, describe, expect, it } from 'vitest';
import { createAuthority } from '../../test/fixtures/authority.ts';
import type { TrustState } from '../core/trust-record.ts';
import { fingerprintOf, joinRoots } from '../pki/trust-statement.ts';
import { rolloverText, standingOf } from './rollover-standing.ts';

let [former, next] = ['', ''];
beforeAll(async () => {
  [former, next] = [
    (await createAuthority({ cluster: 'psf', days: 1 })).rootsPem,
    (await createAuthority({ cluster: 'psf', days: 1 })).rootsPem,
  ];
});

const state = (web1: number | null, resting: readonly string[] = []): TrustState => ({
  record: { number: 2, document: '', signature: '' },
  nodes: [
    { node: 'db1', number: 2 },
    { node: 'web1', number: web1 },
  ],
  resting,
});
const both = (issueFrom: string) => ({
  number: 2,
  rootsPem: joinRoots(former, next),
  issueFrom: fingerprintOf(issueFrom),
});

describe('how far a rollover is', () => {
  it('is said by the phase, what it waits for, and what comes next', () => {
    const standing = (...of: Parameters<typeof standingOf>) => rolloverText(standingOf(...of));
    expect(standing(state(2), null, next)).toBe(
      'a rollover is under way: the next root is made, and no node trusts it yet (understudy ca rollover)',
    );
    expect(standing(state(1), both(former), next)).toBe(
      'a rollover is under way: every node is to trust both roots; it waits: web1 has not followed (understudy ca rollover)',
    );
    expect(standing(state(2), both(former), next)).toMatch(/both roots \(understudy ca rollover --issue\)$/);
    expect(standing(state(1, ['the certificate of node web1']), both(next), next)).toMatch(
      /issued under the next root; it waits: web1 has not followed, the certificate of node web1 \(.* --issue\)$/,
    );
    expect(standing(state(2), both(next), next)).toMatch(/under the next root \(understudy ca rollover --finish\)$/);
    const alone = { number: 2, rootsPem: joinRoots(next), issueFrom: fingerprintOf(next) };
    expect(standing(state(null), alone, next)).toMatch(
      /trusted no more; it waits: web1 has not followed \(.* --finish\)$/,
    );
  });
});
