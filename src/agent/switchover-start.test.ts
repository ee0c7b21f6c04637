import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { spec3, storedSpec } from '../../test/fixtures/spec.ts';
import {
  clusterView,
  held,
  memberPrimary,
  memberStatus,
  members,
  memoryRenewed,
  nowMs,
  operation,
  peer,
  poolerReport,
  primary,
  stored,
} from '../../test/fixtures/view.ts';
import { routes } from '../api/contract/routes.ts';
import type { Clock } from '../ports/clock.ts';
import type { StoreWrite } from '../ports/store.ts';
import { emptyImage } from '../records/store-image.ts';
import { preparationWithinMs, type SwitchoverParts, startSwitchover } from './switchover-start.ts';

const clock: Clock = {
  boottimeMs: () => nowMs,
  wallClock: () => new Date(0),
  sleep: (ms, signal) => delay(ms, undefined, signal === undefined ? {} : { signal }),
};
const request = { to: 'db2', forceAfterMs: null, without: [], dryRun: false, paceMs: 0 };

/** Nothing stands in the way; `checkpoint` is what the test makes of it. */
function world(checkpoint: () => Promise<void>) {
  const lease = held('db1');
  const statuses = members(
    memberStatus('db1', { postgres: memberPrimary() }),
    memberStatus('db2'),
    memberStatus('db3'),
  );
  const view = clusterView({
    store: { spec: storedSpec(spec3()), members: statuses, lease },
    postgres: primary({ peers: [peer('db2'), peer('db3')] }),
    reports: new Map([['web1', { report: poolerReport(), atMs: nowMs }]]),
  });
  const memory = {
    ...memoryRenewed(100),
    memberSeen: new Map(['db2', 'db3'].map((node) => [node, { counter: 5, atMs: nowMs, moved: true }])),
  };
  const written: StoreWrite[] = [];
  const cancel = new AbortController();
  const parts: SwitchoverParts = {
    clock,
    postgres: { checkpoint, openTransactions: async () => [] },
    mirror: {
      image: { ...emptyImage(), lease },
      transact: async (_, writes) => {
        written.push(...writes);
        return { committed: true, revision: 50 };
      },
    },
    latest: () => ({ view, memory }),
    spec: () => spec3(),
    checkpointOn: async () => {},
    claim: () => {},
    signal: cancel.signal,
    ended: new AbortController().signal,
  };
  return { parts, written, cancel };
}

describe('the preparation of a switchover', () => {
  it('is over before its route calls it late, and before the command line gives up after 240 s', () => {
    expect(preparationWithinMs).toBeLessThan(routes.switchover.withinMs);
    expect(routes.switchover.withinMs).toBeLessThan(240_000);
  });

  it('ends with the record of the operation', async () => {
    const { parts, written } = world(async () => {});
    expect(await startSwitchover(parts, request, 'ernest')).toMatchObject({ outcome: 'started', operation: 'R-0001' });
    expect(written.map(({ key }) => key)).toEqual(['operation']);
  });

  it('records nothing once nobody waits for it any more', async () => {
    const { parts, written, cancel } = world(async () => cancel.abort(new Error('the caller has gone')));
    await expect(startSwitchover(parts, request, 'ernest')).rejects.toThrow('the caller has gone');
    expect(written).toEqual([]);
  });

  it('is refused as soon as its target is lost for good, whatever its checkpoint waits for', async () => {
    const forGood = (_: string, signal: AbortSignal) =>
      new Promise<void>((__, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    const { parts, written } = world(async () => {});
    const latest = parts.latest();
    if (latest === null) throw new Error('the world has a view');
    const begunMs = performance.now();
    const boottimeMs = () => nowMs + (performance.now() - begunMs) * 100;
    // Its WAL receiver is gone after the preflight, and its agent is not heard any more.
    const lost = { ...latest.view, postgres: primary({ peers: [peer('db3')] }) };
    let looks = 0;
    const parted: SwitchoverParts = {
      ...parts,
      clock: { ...clock, boottimeMs },
      checkpointOn: forGood,
      latest: () => (looks++ === 0 ? latest : { ...latest, view: lost }),
    };
    expect(await startSwitchover(parted, request, 'ernest')).toMatchObject({
      outcome: 'refused',
      preflight: { to: 'db2', blockers: [{ blockedBy: 'target-not-streaming' }] },
    });
    expect(written).toEqual([]);
  });

  it('tells of the switchover that stops PostgreSQL under its hands, and otherwise of what PostgreSQL says', async () => {
    const { parts } = world(async () => {});
    const latest = parts.latest();
    if (latest === null) throw new Error('the world has a view');
    const { view } = latest;
    const underWay = { ...view, store: { ...view.store, operation: stored(operation({ phase: 'pausing' })) } };
    let looks = 0;
    const openTransactions = async () => {
      throw new Error("can't connect");
    };
    const stopped = { ...parts, postgres: { ...parts.postgres, openTransactions } };
    const seenLate = { ...stopped, latest: () => (looks++ === 0 ? latest : { ...latest, view: underWay }) };
    expect(await startSwitchover(seenLate, request, 'ernest')).toMatchObject({
      outcome: 'refused',
      preflight: { blockers: [{ blockedBy: 'operation-active' }] },
    });
    await expect(startSwitchover(stopped, request, 'ernest')).rejects.toThrow("can't connect");
  });
});
