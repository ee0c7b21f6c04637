/** Whom the primary's replicated commits wait for, as standbys come and go, by what is declared. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { specOf } from '../../../test/fixtures/spec.ts';
import { clusterView, memoryRenewed, nowMs, primary, stored } from '../../../test/fixtures/view.ts';
import { type DurabilitySpec, defaultDurability } from '../declared-durability.ts';
import { type DurabilityRecord, demands, nobody, type SyncSet, sameSet } from '../durability.ts';
import { lsnFromOffset } from '../lsn.ts';
import type { DatabaseMemory } from '../memory.ts';
import { assess } from '../situation.ts';
import type { Spec } from '../spec.ts';
import { decideSyncStandbys, wantedSet, watchStandbys } from './sync-standbys.ts';

const nodes = ['db1', 'db2', 'db3', 'db4'];
const declared = (change: Partial<DurabilitySpec>, spec = specOf(nodes)): Spec => ({
  ...spec,
  durability: { ...defaultDurability, ...change },
});
const both: SyncSet = { standbys: ['db2', 'db3'], k: 1 };
const term = 5;

interface World {
  readonly atMs: number;
  readonly memory: DatabaseMemory;
  readonly record: DurabilityRecord;
  readonly server: SyncSet;
}

const peer = (name: string) => ({
  name,
  pid: 1,
  state: 'streaming',
  sentLsn: null,
  flushLsn: lsnFromOffset(0xffffffffn),
  replayLsn: null,
  replyAgeMs: 0,
});

function situationOf(spec: Spec, world: World, streaming: readonly string[]) {
  const view = clusterView({
    nowMs: world.atMs,
    postgres: primary({ syncSet: world.server, peers: streaming.map(peer) }),
    store: { spec: stored({ revision: 3, spec, appliedAt: '', appliedBy: '' }), durability: stored(world.record) },
  });
  const seen = assess(view, world.memory);
  return assess(view, { ...world.memory, ...watchStandbys(seen) });
}

const begun = (record: SyncSet): World => ({
  atMs: nowMs,
  memory: { ...memoryRenewed(0), durabilityWritten: term },
  record: { term, ...record },
  server: record,
});

/** One decision, with what it asked for done at once. */
function step(spec: Spec, world: World, streaming: readonly string[], laterMs = 100): World {
  const situation = situationOf(spec, { ...world, atMs: world.atMs + laterMs }, streaming);
  const next = { ...world, atMs: situation.nowMs, memory: situation.memory };
  const [action] = decideSyncStandbys(situation).actions;
  if (action?.do === 'write-durability') return { ...next, record: action.record };
  if (action?.do !== 'set-sync-standbys') return next;
  const { pid } = primary();
  const sync = { pid, set: action.set, mark: lsnFromOffset(0n) };
  return { ...next, server: action.set, memory: { ...next.memory, sync } };
}

function settle(spec: Spec, from: World, streaming: readonly string[], steps = 200): World {
  let world = from;
  for (let n = 0; n < steps; n += 1) world = step(spec, world, streaming);
  return world;
}

describe('the synchronous standbys', () => {
  it.each<[string, Partial<DurabilitySpec>, SyncSet, string[], SyncSet & { degraded?: boolean }]>([
    ['are those that stream', {}, nobody, ['db2', 'db3', 'db4'], { standbys: ['db2', 'db3', 'db4'], k: 1 }],
    ['leave when others are there', {}, both, ['db3'], { standbys: ['db3'], k: 1 }],
    ['are waited for when none is there', {}, both, [], both],
    ['are as many as declared', { k: 2 }, both, ['db2', 'db3'], { standbys: ['db2', 'db3'], k: 2 }],
    ['are not more than there are', { k: 3 }, nobody, ['db2'], { standbys: ['db2'], k: 1 }],
    ['are never fewer than before', { k: 2 }, { standbys: ['db2', 'db3'], k: 2 }, ['db2'], { ...both, k: 2 }],
    [
      'may be one less where it is so declared',
      { k: 2, withoutStandby: 'degrade' },
      { ...both, k: 2 },
      ['db2'],
      { standbys: ['db2'], k: 1, degraded: true },
    ],
    ['may be none where it is so declared', { withoutStandby: 'degrade' }, both, [], { ...nobody, degraded: true }],
  ])('%s', (_, change, record, streaming, expected) => {
    const { record: after, server } = settle(declared(change), begun(record), streaming);
    expect(after).toEqual({ term, ...expected });
    expect(sameSet(server, expected)).toBe(true);
  });

  it('are, of the two nodes of a cluster, the one that was primary before, though it be gone', () => {
    const two = specOf(['db1', 'db2']);
    const taken = begun({ standbys: ['db1'], k: 1 });
    const waits = settle(declared({}, two), { ...taken, server: { standbys: ['db2'], k: 1 } }, []);
    expect(waits.server).toEqual({ standbys: ['db2'], k: 1 });
    expect(waits.record).toEqual({ term, standbys: ['db1'], k: 1 });
    expect(settle(declared({}, two), waits, ['db2']).record).toEqual({ term, standbys: ['db2'], k: 1 });

    const degrade = declared({ withoutStandby: 'degrade' }, two);
    let world = waits;
    while (world.record.degraded !== true) world = step(degrade, world, []);
    expect(world.server).toEqual({ standbys: ['db2'], k: 1 });
    expect(settle(degrade, world, []).server).toEqual(nobody);
  });

  it('are those that may become primary, where enough of them are there', () => {
    const spec = declared({});
    const never = {
      ...spec,
      nodes: spec.nodes.map((node) => (node.name === 'db4' ? { ...node, failover: 'never' as const } : node)),
    };
    expect(settle(never, begun(nobody), ['db2', 'db4']).record.standbys).toEqual(['db2']);
    expect(settle(never, begun(nobody), ['db4']).record.standbys).toEqual(['db4']);
  });

  it('are never delayed ones, and where there are no others, nobody', () => {
    const spec = declared({ k: 2 });
    const delayed = (...names: readonly string[]) => ({
      ...spec,
      nodes: spec.nodes.map((node) => (names.includes(node.name) ? { ...node, applyDelayMs: 60_000 } : node)),
    });
    const all = ['db2', 'db3', 'db4'];
    expect(settle(delayed('db4'), begun(nobody), all).record).toEqual({ term, standbys: ['db2', 'db3'], k: 2 });
    expect(settle(delayed('db3', 'db4'), begun(nobody), all).record).toEqual({ term, standbys: ['db2'], k: 1 });
    expect(settle(delayed(...all), begun(nobody), all).record).toEqual({ term, ...nobody });
    // One that becomes delayed leaves the set.
    expect(settle(delayed('db3'), begun(both), ['db2', 'db3']).server).toEqual({ standbys: ['db2'], k: 1 });
  });

  it('are given some seconds before commits go on without them, and then the record says so first', () => {
    const spec = declared({ withoutStandby: 'degrade' });
    let world = settle(spec, begun(both), ['db2', 'db3']);
    const sinceMs = world.atMs;
    while (world.record.degraded !== true) world = step(spec, world, []);
    expect(world.atMs - sinceMs).toBeGreaterThan(5_000);
    expect(world.server).toEqual(both);
    expect(settle(spec, world, []).server).toEqual(nobody);
    const back = settle(spec, world, ['db3']);
    expect(back.record).toEqual({ term, standbys: ['db3'], k: 1 });
  });

  it('never let the server acknowledge what no election would hear of, whatever comes and goes', () => {
    const spec = fc.record({
      k: fc.integer({ min: 1, max: 3 }),
      withoutStandby: fc.constantFrom('wait' as const, 'degrade' as const),
    });
    const phase = fc.record({ streaming: fc.subarray(['db2', 'db3', 'db4']), steps: fc.nat(25), change: spec });
    fc.assert(
      fc.property(fc.array(phase, { minLength: 1, maxLength: 6 }), (phases) => {
        let world = begun(nobody);
        for (const { streaming, steps, change } of phases) {
          for (let n = 0; n < steps; n += 1) {
            const before = world;
            world = step(declared(change), world, streaming, 400);
            if (!demands('db1', world.server, world.record))
              throw new Error(JSON.stringify([before.record, world.record, world.server]));
            // Only where it is declared, and only with the record saying so, are fewer waited for than before.
            const lowered = world.record.k < before.record.k && world.record.k < change.k;
            const isSaid = change.withoutStandby === 'degrade' && world.record.degraded === true;
            if (lowered && !isSaid) throw new Error(JSON.stringify([before.record, world.record, world.server]));
          }
        }
      }),
      { numRuns: 100 },
    );
  });

  it('are wanted as they are once nothing changes any more', () => {
    const situation = situationOf(declared({}), begun(both), ['db2', 'db3']);
    expect(wantedSet(situation, both)).toEqual(both);
    expect(decideSyncStandbys(situation).unconverged).toEqual(['synchronous standbys']);
  });
});
