import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { spec3 } from '../../test/fixtures/spec.ts';
import { clusterView, held, memoryRenewed, nowMs, operation, released, stored } from '../../test/fixtures/view.ts';
import type { Requests } from '../core/cluster-view.ts';
import { emptyImage, type StoreImage } from '../records/store-image.ts';
import { type OrderedAgent, SwitchoverOrders } from './switchover-orders.ts';

const request = { to: 'db2', forceAfterMs: null, without: [], dryRun: false, paceMs: 0 };
const ernest = { kind: 'operator', name: 'ernest' } as const;
const nobodyLeft = new AbortController().signal;

/** Orders given to db1; what it passes on to others, and what it asks of its own loop. */
function world(image: Partial<StoreImage>, openTransactions: OrderedAgent['postgres']['openTransactions'] = noneOpen) {
  const passedOn: (readonly string[])[] = [];
  const requested: Partial<Requests>[] = [];
  const agent: OrderedAgent = {
    node: 'db1',
    clock: {
      boottimeMs: () => nowMs,
      wallClock: () => new Date(0),
      sleep: (ms, signal) => delay(ms, undefined, signal === undefined ? {} : { signal }),
    },
    signal: new AbortController().signal,
    freshView: { view: clusterView(), memory: memoryRenewed(100) },
    spec: () => spec3(),
    request: (change) => void requested.push(change),
    emit: () => {},
    postgres: { checkpoint: async () => {}, openTransactions },
    mirror: {
      image: { ...emptyImage(), lease: held('db1'), ...image },
      transact: async () => ({ committed: true, revision: 50 }),
    },
  };
  const orders = new SwitchoverOrders(agent, (node) => ({
    switchover: async ({ to }, by) => {
      passedOn.push([node, 'switchover', String(to), by.name]);
      const preflight = { from: node, to, poolers: [], blockers: [], warnings: [] };
      return { outcome: 'refused', preflight };
    },
    cancel: async (id, by) => {
      passedOn.push([node, 'cancel', id, by.name]);
      return { accepted: true, because: 'it is being undone' };
    },
    checkpoint: async () => {},
  }));
  return { orders, passedOn, requested };
}

const noneOpen = async () => [];

describe('a switchover', () => {
  it("is passed on to the lease's holder", async () => {
    const { orders, passedOn } = world({ lease: held('db3') });
    expect(await orders.start(request, ernest, nobodyLeft)).toMatchObject({ preflight: { from: 'db3' } });
    expect(passedOn).toEqual([['db3', 'switchover', 'db2', 'ernest']]);
  });

  it.each([
    ['nobody ever held it', null, 'nobody holds the lease yet'],
    ['it was handed to one', released('db3', 'db2'), 'released to db2, which has not taken it yet'],
    ['it waits for an election', released('db3', null), 'released to whoever is elected, and nobody is yet'],
  ])('is refused while nobody holds the lease: %s', async (_, lease, text) => {
    const { orders } = world({ lease });
    await expect(orders.start(request, ernest, nobodyLeft)).rejects.toMatchObject({
      code: 'REFUSED',
      message: expect.stringContaining(text),
    });
  });

  it('is refused while another is being prepared, and not after', async () => {
    const looking: (() => void)[] = [];
    const { orders } = world({}, () => new Promise((resolve) => looking.push(() => resolve([]))));
    // Nobody of that name is there, so that each preparation ends with its first look.
    const ask = () => orders.start({ ...request, to: 'db9' }, ernest, nobodyLeft);
    const first = ask();
    expect(await ask()).toMatchObject({ preflight: { blockers: [{ blockedBy: 'operation-active' }] } });
    looking.shift()?.();
    await first;
    const third = ask();
    looking.shift()?.();
    expect((await third).preflight.blockers.map(({ blockedBy }) => blockedBy)).not.toContain('operation-active');
  });
});

describe('an undo', () => {
  const id = 'R-0007';

  it('is asked of the own loop by who began the operation, and passed on to it by others', async () => {
    const own = world({ operation: stored(operation({ phase: 'pausing' })) });
    expect(await own.orders.cancel(id, ernest)).toMatchObject({ accepted: true });
    expect([own.requested, own.passedOn]).toEqual([[{ cancelOperation: id }], []]);
    const other = world({ operation: stored(operation({ phase: 'pausing' }, { from: 'db2', to: 'db1' })) });
    expect(await other.orders.cancel(id, ernest)).toMatchObject({ accepted: true });
    expect([other.requested, other.passedOn]).toEqual([[], [['db2', 'cancel', id, 'ernest']]]);
  });

  it('is refused where there is nothing to undo any more', async () => {
    const answers = await Promise.all(
      [
        null,
        stored(operation({ phase: 'pausing' }, { id: 'R-0006' })),
        stored(operation({ phase: 'finished', receipt: id })),
      ].map(async (active) => {
        const { orders, requested, passedOn } = world({ operation: active });
        const answer = await orders.cancel(id, ernest);
        expect([requested, passedOn]).toEqual([[], []]);
        return answer;
      }),
    );
    expect(answers).toEqual([
      { accepted: false, because: 'there is no operation R-0007 under way' },
      { accepted: false, because: 'there is no operation R-0007 under way' },
      { accepted: false, because: 'it is finished already' },
    ]);
  });
});
