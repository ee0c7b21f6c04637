import { describe, expect, it } from 'vitest';
import { orderWorld } from '../../test/fixtures/order-world.ts';
import { held, operation, stored } from '../../test/fixtures/view.ts';
import { keys } from '../records/keys.ts';
import type { StoreImage } from '../records/store-image.ts';
import { orderHandsOff } from './hands-off-order.ts';
import { orderReadOnly } from './read-only-order.ts';

const world = (image: Partial<StoreImage>, committed = true) => orderWorld({ lease: held('db1'), ...image }, committed);

const order = { by: 'ernest', at: new Date(0).toISOString() };
const readOnly = stored({ ...order, reason: 'disks' }, 4);
const handsOff = stored({ ...order, forMs: 60_000, leftMs: 60_000 }, 5);

describe('read-only', () => {
  it('is written against what was seen, and told', async () => {
    const { parts, asked, told } = world({ readOnly });
    expect(await orderReadOnly(parts, { on: true, reason: null }, 'ernest')).toMatchObject({ accepted: true });
    expect(asked).toEqual([
      {
        conditions: [{ key: keys.readOnly, revision: 4 }],
        writes: [{ key: keys.readOnly, value: JSON.stringify({ ...order, reason: null }) }],
      },
    ]);
    expect(told).toEqual([['read_only.began', { by: 'ernest', reason: 'no reason given' }]]);
  });

  it('is removed, and nothing is where there is none', async () => {
    const { parts, asked, told } = world({ readOnly });
    await orderReadOnly(parts, { on: false, reason: null }, 'ernest');
    expect(asked).toEqual([
      { conditions: [{ key: keys.readOnly, revision: 4 }], writes: [{ key: keys.readOnly, remove: true }] },
    ]);
    expect(told).toEqual([['read_only.ended', { by: 'ernest' }]]);
    const none = world({});
    expect(await orderReadOnly(none.parts, { on: false, reason: null }, 'ernest')).toMatchObject({ accepted: true });
    expect([none.asked, none.told]).toEqual([[], []]);
  });

  it.each([true, false])('is settled where what stands there can not be read (on: %s)', async (on) => {
    const { parts, asked } = world({ unreadable: [keys.readOnly] });
    await orderReadOnly(parts, { on, reason: null }, 'ernest');
    expect(asked).toMatchObject([{ conditions: [] }]);
  });

  it('says so when somebody else was quicker, and tells nobody that it was done', async () => {
    const { parts, told } = world({}, false);
    await expect(orderReadOnly(parts, { on: true, reason: null }, 'ernest')).rejects.toMatchObject({
      code: 'CONFLICT',
    });
    expect(told).toEqual([]);
  });
});

describe('hands-off', () => {
  it('is written against the operation that was seen, so that none begins in the same moment', async () => {
    const ended = stored(operation({ phase: 'finished', receipt: 'R-0007' }), 6);
    const { parts, asked, told } = world({ operation: ended });
    await orderHandsOff(parts, { forMs: 60_000 }, 'ernest');
    expect(asked).toEqual([
      {
        conditions: [
          { key: keys.handsOff, revision: 'absent' },
          { key: keys.operation, revision: 6 },
        ],
        writes: [{ key: keys.handsOff, value: JSON.stringify(handsOff.value) }],
      },
    ]);
    expect(told).toEqual([['hands_off.began', { by: 'ernest', minutes: 1 }]]);
  });

  it('is refused during a switchover, and before the cluster has begun', async () => {
    const moving = world({ operation: stored(operation({ phase: 'pausing' })) });
    expect(await orderHandsOff(moving.parts, { forMs: 60_000 }, 'ernest')).toMatchObject({ accepted: false });
    const unborn = world({ lease: null });
    expect(await orderHandsOff(unborn.parts, { forMs: 60_000 }, 'ernest')).toMatchObject({ accepted: false });
    expect([moving.asked, unborn.asked]).toEqual([[], []]);
  });

  it('ends, also where it can not be read', async () => {
    const { parts, told } = world({ handsOff });
    expect(await orderHandsOff(parts, { forMs: null }, 'ernest')).toMatchObject({ accepted: true });
    expect(told).toEqual([['hands_off.ended', { because: 'ernest asked for it' }]]);
    const garbled = world({ unreadable: [keys.handsOff] });
    await orderHandsOff(garbled.parts, { forMs: null }, 'ernest');
    expect(garbled.asked).toMatchObject([{ conditions: [], writes: [{ remove: true }] }]);
  });
});
