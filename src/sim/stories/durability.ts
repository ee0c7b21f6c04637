/** Stories about who has what was acknowledged, and which record an election judges by. */
import { holder } from '../planned-fault.ts';
import type { Story } from './story.ts';

/** The primary and the only standby that has the last commits are gone: the one that is left must not be enough. */
const onlyTheLaggardIsLeft: Story = {
  name: 'only-the-laggard-is-left',
  databases: [3],
  faults: (random, fromMs) => {
    const goneAtMs = fromMs + random.between(400, 3_000);
    return [
      { kind: 'cut-from-one', node: holder, other: 'db3', when: { atMs: fromMs }, forMs: 20_000 },
      { kind: 'cut-from-all', node: 'db2', other: 'db1', when: { atMs: goneAtMs - 30 }, forMs: 20_000 },
      { kind: 'host-crashed', node: holder, other: 'db3', when: { atMs: goneAtMs }, forMs: 22_000 },
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
      {
        kind: 'replay-slow',
        node: 'db2',
        other: 'db1',
        when: { atMs: fromMs },
        forMs: 25_000,
      },
      { kind: 'cut-from-one', node: holder, other: 'db3', when: { atMs: lagsFromMs }, forMs: 20_000 },
      { kind: 'host-crashed', node: holder, other: 'db3', when: { atMs: goneAtMs }, forMs: 22_000 },
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
    const event = { event: 'store.durability', nth: 1, fromMs: fromMs + 500 };
    const goneAfterMs = random.between(4_300, 5_000);
    return [
      {
        kind: 'host-crashed',
        node: 'db3',
        other: 'db1',
        when: { atMs: fromMs },
        forMs: random.between(2_200, 3_000),
      },
      { kind: 'agent-frozen', node: holder, other: 'db2', when: { ...event, delayMs: 0.1 }, forMs: 20_000 },
      {
        kind: 'cut-from-one',
        node: holder,
        other: 'db2',
        when: { ...event, delayMs: random.between(0.1, 300) },
        forMs: 20_000,
      },
      { kind: 'cut-from-all', node: 'db3', other: 'db1', when: { ...event, delayMs: goneAfterMs }, forMs: 20_000 },
      {
        kind: 'host-crashed',
        node: holder,
        other: 'db2',
        when: { ...event, delayMs: goneAfterMs + 20 },
        forMs: 20_000,
      },
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
    return [
      { kind: 'cut-from-one', node: holder, other: 'db2', when: { atMs: fromMs }, forMs: 30_000 },
      { kind: 'host-crashed', node: 'db3', other: 'db1', when: { atMs: crashAtMs }, forMs: 25_000 },
      {
        kind: 'host-crashed',
        node: holder,
        other: 'db2',
        when: { event: 'store.durability', nth: 1, delayMs: random.skewed(0.1, 20), fromMs: crashAtMs },
        forMs: 20_000,
      },
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
    const event = { event: 'store.durability', nth: 1, fromMs: cutAtMs + 200 };
    return [
      { kind: 'durability-late', node: holder, other: 'db2', when: { atMs: fromMs }, forMs: 5_000 },
      { kind: 'host-crashed', node: 'db3', other: 'db1', when: { atMs: fromMs }, forMs: random.between(2_800, 3_300) },
      { kind: 'cut-from-one', node: holder, other: 'db2', when: { atMs: cutAtMs }, forMs: 30_000 },
      { kind: 'host-crashed', node: holder, other: 'db2', when: { ...event, delayMs: 0.1 }, forMs: 20_000 },
      { kind: 'cut-from-all', node: 'db3', other: 'db1', when: { ...event, delayMs: 0.2 }, forMs: 20_000 },
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
      { kind: 'host-crashed', node: 'db3', other: 'db1', when: { atMs: fromMs }, forMs: random.between(4_600, 5_500) },
      {
        kind: 'watch-silent',
        node: 'db2',
        other: 'db1',
        when: { atMs: fromMs + random.between(3_600, 4_500) },
        forMs: 40_000,
      },
      { kind: 'cut-from-one', node: holder, other: 'db2', when: { atMs: goneAtMs - 800 }, forMs: 40_000 },
      { kind: 'cut-from-all', node: 'db3', other: 'db1', when: { atMs: goneAtMs }, forMs: 40_000 },
      { kind: 'host-crashed', node: holder, other: 'db2', when: { atMs: goneAtMs + 1 }, forMs: 40_000 },
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
    return [
      { kind: 'cut-from-all', node: 'db3', other: 'db1', when: { atMs: fromMs }, forMs: 35_000 },
      { kind: 'cut-from-all', node: 'db1', other: 'db2', when: { atMs: fromMs }, forMs: cutForMs },
      {
        kind: 'agent-frozen',
        node: 'db2',
        other: 'db1',
        when: { event: 'store.accepted-loss', nth: 1, delayMs: random.skewed(0.05, 1), fromMs },
        forMs: random.between(3_000, 5_000),
      },
      {
        kind: 'cut-from-all',
        node: 'db1',
        other: 'db2',
        when: { atMs: fromMs + cutForMs + random.between(200, 1_200) },
        forMs: 30_000,
      },
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
