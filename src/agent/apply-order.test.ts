import { describe, expect, it } from 'vitest';
import { orderWorld } from '../../test/fixtures/order-world.ts';
import { spec3, storedSpec } from '../../test/fixtures/spec.ts';
import { stored } from '../../test/fixtures/view.ts';
import { keys } from '../records/keys.ts';
import type { StoreImage } from '../records/store-image.ts';
import { orderApply } from './apply-order.ts';

const spec = spec3();
const current = storedSpec(spec);
const request = { spec, baseRevision: current.value.revision };

interface Otherwise {
  readonly committed?: boolean;
  readonly disagreements?: readonly string[];
}

function world(image: Partial<StoreImage> = {}, { committed = true, disagreements = [] }: Otherwise = {}) {
  const { parts, asked, told } = orderWorld({ spec: current, ...image }, committed);
  return { parts: { ...parts, cluster: spec.cluster, disagreements: async () => disagreements }, asked, told };
}

describe('apply', () => {
  it('writes the next revision over the one that it was planned against, and tells it', async () => {
    const { parts, asked, told } = world();
    const revision = request.baseRevision + 1;
    expect(await orderApply(parts, request, 'ernest')).toEqual({ revision });
    const value = JSON.stringify({ revision, spec, appliedAt: new Date(0).toISOString(), appliedBy: 'ernest' });
    expect(asked).toEqual([
      { conditions: [{ key: keys.spec, revision: current.revision }], writes: [{ key: keys.spec, value }] },
    ]);
    expect(told).toEqual([['spec.applied', { revision, by: 'ernest' }]]);
  });

  it('writes the first one where there is none', async () => {
    const { parts, asked } = world({ spec: null });
    expect(await orderApply(parts, { spec, baseRevision: 0 }, 'ernest')).toEqual({ revision: 1 });
    expect(asked).toMatchObject([{ conditions: [{ key: keys.spec, revision: 'absent' }] }]);
  });

  const handsOff = stored({ by: 'kim', at: new Date(0).toISOString(), forMs: 60_000, leftMs: 60_000 });
  it.each<[string, string, Parameters<typeof world>, object]>([
    ["another cluster's spec", 'REFUSED', [], { spec: spec3({ cluster: 'other' }) }],
    ['a change of another revision', 'CONFLICT', [], { baseRevision: 1 }],
    ['one while hands are off', 'REFUSED', [{ handsOff }], {}],
    ['one that the declaration forbids', 'REQUEST_INVALID', [{}, { disagreements: ['too few', 'too many'] }], {}],
  ])('refuses %s with %s, and writes nothing', async (_, code, scene, change) => {
    const { parts, asked, told } = world(...scene);
    await expect(orderApply(parts, { ...request, ...change }, 'ernest')).rejects.toMatchObject({ code });
    expect([asked, told]).toEqual([[], []]);
  });

  it('says so when somebody else was quicker, and tells nobody that it was done', async () => {
    const { parts, told } = world({}, { committed: false });
    await expect(orderApply(parts, request, 'ernest')).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(told).toEqual([]);
  });
});
