/** Stories about who has what was acknowledged, and which record an election judges by. */
import { holder } from '../planned-fault.ts';
import { after, at, fault, type Story } from './story.ts';

/** The primary and the only standby that has the last commits are gone: the one that is left must not be enough. */
const onlyTheLaggardIsLeft: Story = {
  name: 'only-the-laggard-is-left',
  databases: [3],
  faults: (random, fromMs) => {
    const goneAtMs = fromMs + random.between(400, 3_000);
    return [
      fault('cut-from-one', holder, at(fromMs), 20_000, 'db3'),
      fault('cut-from-all', 'db2', at(goneAtMs - 30), 20_000),
      fault('host-crashed', holder, at(goneAtMs), 22_000),
    ];
  },
};

/** Who has the last commits has not replayed them; who has replayed all that it has lacks them. */
const furthestHasNotReplayed: Story = {
  name: 'furthest-has-not-replayed',
  databases: [3, 4],
  faults: (random, fromMs) => {
    const lagsFromMs = fromMs + random.between(800, 2_500);
    const goneAtMs = lagsFromMs + random.between(400, 3_000);
    return [
      fault('replay-slow', 'db2', at(fromMs), 25_000),
      fault('cut-from-one', holder, at(lagsFromMs), 20_000, 'db3'),
      fault('host-crashed', holder, at(goneAtMs), 22_000),
    ];
  },
};

/**
 * db3 goes, and as soon as the record no longer counts it, the holder's agent stands still. db3 comes back, and has all
 * that is acknowledged from then on, if the server still asks it; db2 has none of it. Then only db2 is left.
 */
const recordWithoutServer: Story = {
  name: 'record-without-server',
  databases: [3],
  isAlone: true,
  faults: (random, fromMs) => {
    const record = (delayMs: number) => after('store.durability', delayMs, { fromMs: fromMs + 500 });
    const goneAfterMs = random.between(4_300, 5_000);
    return [
      fault('host-crashed', 'db3', at(fromMs), random.between(2_200, 3_000)),
      fault('agent-frozen', holder, record(0.1), 20_000),
      fault('cut-from-one', holder, record(random.between(0.1, 300)), 20_000),
      fault('cut-from-all', 'db3', record(goneAfterMs), 20_000),
      fault('host-crashed', holder, record(goneAfterMs + 20), 20_000),
    ];
  },
};

/**
 * db2 is out of reach, so db3 alone has what is acknowledged; then db3 goes, and the primary as soon as the record counts
 * only db2. It must not have said so before db2 had everything.
 */
const recordBeforeFlush: Story = {
  name: 'record-before-flush',
  databases: [3],
  isAlone: true,
  faults: (random, fromMs) => {
    const crashAtMs = fromMs + random.between(300, 2_000);
    const record = after('store.durability', random.skewed(0.1, 20), { fromMs: crashAtMs });
    return [
      fault('cut-from-one', holder, at(fromMs), 30_000),
      fault('host-crashed', 'db3', at(crashAtMs), 25_000),
      fault('host-crashed', holder, record, 20_000),
    ];
  },
};

/**
 * The record that counts only db2 is written seconds late, when db3 is back and has what db2 lacks; in that moment
 * primary and db3 go.
 */
const lateRecord: Story = {
  name: 'late-record',
  databases: [3],
  isAlone: true,
  faults: (random, fromMs) => {
    const cutAtMs = fromMs + random.between(6_300, 6_800);
    const record = (delayMs: number) => after('store.durability', delayMs, { fromMs: cutAtMs + 200 });
    return [
      fault('durability-late', holder, at(fromMs), 5_000),
      fault('host-crashed', 'db3', at(fromMs), random.between(2_800, 3_300)),
      fault('cut-from-one', holder, at(cutAtMs), 30_000),
      fault('host-crashed', holder, record(0.1), 20_000),
      fault('cut-from-all', 'db3', record(0.2), 20_000),
    ];
  },
};

/**
 * db2 hears nothing new while the record counts only db2; then db3 comes back, is counted, and has alone what is
 * acknowledged. Primary and db3 go: db2 must not be elected by what it remembers.
 */
const staleRecord: Story = {
  name: 'stale-record',
  databases: [3],
  troubleMs: 30_000,
  isAlone: true,
  faults: (random, fromMs) => {
    const goneAtMs = fromMs + random.between(10_500, 13_000);
    return [
      fault('host-crashed', 'db3', at(fromMs), random.between(4_600, 5_500)),
      fault('watch-silent', 'db2', at(fromMs + random.between(3_600, 4_500)), 40_000),
      fault('cut-from-one', holder, at(goneAtMs - 800), 40_000),
      fault('cut-from-all', 'db3', at(goneAtMs), 40_000),
      fault('host-crashed', holder, at(goneAtMs + 1), 40_000),
    ];
  },
};

/**
 * A loss is accepted, and whoever would be elected by it stands still; meanwhile the primary renews once more and is
 * silent again. What was accepted says nothing of that.
 */
const renewedOnceMore: Story = {
  name: 'renewed-once-more',
  databases: [3],
  durability: { acceptLossAfterMs: 3_000 },
  isAlone: true,
  faults: (random, fromMs) => {
    const cutForMs = random.between(9_000, 10_500);
    const accepted = after('store.accepted-loss', random.skewed(0.05, 1), { fromMs });
    return [
      fault('cut-from-all', 'db3', at(fromMs), 35_000),
      fault('cut-from-all', 'db1', at(fromMs), cutForMs),
      fault('agent-frozen', 'db2', accepted, random.between(3_000, 5_000)),
      fault('cut-from-all', 'db1', at(fromMs + cutForMs + random.between(200, 1_200)), 30_000),
    ];
  },
};

export const durabilityStories: readonly Story[] = [
  onlyTheLaggardIsLeft,
  furthestHasNotReplayed,
  recordWithoutServer,
  recordBeforeFlush,
  lateRecord,
  staleRecord,
  renewedOnceMore,
];
