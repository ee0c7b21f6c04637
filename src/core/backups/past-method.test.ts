import { describe, expect, it } from 'vitest';
import { type BaseFacts, decideMethod, type MethodFacts } from './past-method.ts';

const ext4 = { by: null, fileSystem: 'ext4' } as const;
const xfs = { by: 'reflink', fileSystem: 'xfs' } as const;
const backup = { label: 'B', finishedMs: 1_000 };
const fresh: BaseFacts = { label: 'B', atMs: 1_000, isReplayed: false, isWhole: true };
const replayed: BaseFacts = { ...fresh, atMs: 2_000, isReplayed: true };

function decide(facts: Partial<MethodFacts>) {
  const { base, by, takesBase } = decideMethod({ copying: ext4, base: null, backup, targetMs: 3_000, ...facts });
  return { by, base, takesBase };
}

const plain = { by: 'restore', base: null, takesBase: false };
const delta = { by: 'delta', base: 'delta', takesBase: true };
const onwards = { by: 'roll-forward', base: null, takesBase: true };

describe('the way to an instance of the past', () => {
  it('is a restore where nothing is kept and nothing shared', () => {
    expect(decide({})).toEqual(plain);
  });

  it('is a copy of the base where blocks can be shared, which is restored when it is not there', () => {
    expect(decide({ copying: xfs })).toEqual({ by: 'reflink', base: 'restore', takesBase: false });
    expect(decide({ copying: xfs, base: fresh })).toEqual({ by: 'reflink', base: null, takesBase: false });
    expect(decide({ copying: { by: 'btrfs-snapshot', fileSystem: 'btrfs' }, base: fresh }).by).toBe('btrfs-snapshot');
  });

  it('replays a base on that stands before the target', () => {
    expect(decide({ base: replayed })).toEqual(onwards);
    expect(decide({ base: replayed, targetMs: 2_000 })).toEqual(onwards);
    expect(decide({ base: { ...replayed, label: 'A' } })).toEqual(onwards);
  });

  it.each<[string, Partial<MethodFacts>]>([
    ['stands behind the target', { base: replayed, targetMs: 1_500 }],
    ['is further away than a backup', { base: { ...fresh, label: 'A', atMs: 500 } }],
    ['was never finished', { base: { ...fresh, isWhole: false } }],
    ['stands nobody knows where, seen from an LSN', { base: replayed, targetMs: null }],
  ])('restores what differs when the base %s', (_, facts) => {
    expect(decide(facts)).toEqual(delta);
    expect(decide({ ...facts, copying: xfs })).toEqual({ by: 'reflink', base: 'delta', takesBase: false });
  });

  it('takes a base that is as its backup was for any target of that backup', () => {
    expect(decide({ base: fresh, targetMs: null })).toEqual(onwards);
  });
});
