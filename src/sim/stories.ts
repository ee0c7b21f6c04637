/**
 * Sequences of faults that hit one guard of the protocol each, with times drawn anew: what chance alone finds only once
 * in tens of thousands of seeds.
 */
import { holder, type PlannedFault, speaker } from './planned-fault.ts';
import type { Random } from './random.ts';

export interface Story {
  readonly databases: readonly number[];
  /** How many standbys a replicated commit waits for. */
  readonly k: number;
  /** `fromMs`: when the cluster has settled. */
  faults(random: Random, fromMs: number): readonly PlannedFault[];
}

/** Longer than any lease of the simulated cluster. */
const leaseIsOverMs = { least: 6_200, most: 12_000 };

/** The last renewal is answered late, and the holder stands still: its fence must have counted from the sending. */
const lateAnswer: Story = {
  databases: [2, 3],
  k: 1,
  faults: (random, fromMs) => [
    { kind: 'store-answers-late', node: holder, other: 'db2', when: { atMs: fromMs }, forMs: 8_000 },
    {
      kind: 'agent-frozen',
      node: holder,
      other: 'db2',
      when: { atMs: fromMs + random.between(2_000, 4_000) },
      forMs: random.between(leaseIsOverMs.least, leaseIsOverMs.most),
    },
  ],
};

/** The elected stands still between its decision and the promotion, until another one has been elected. */
const frozenWhilePromoting: Story = {
  databases: [4, 5],
  k: 2,
  faults: (random, fromMs) => [
    { kind: 'host-crashed', node: holder, other: 'db2', when: { atMs: fromMs }, forMs: random.between(15_000, 30_000) },
    {
      kind: 'agent-frozen',
      node: speaker,
      other: 'db2',
      when: { event: 'act.promote', nth: 1, delayMs: random.skewed(0.05, 6) },
      forMs: random.between(leaseIsOverMs.least, leaseIsOverMs.most),
    },
  ],
};

/** What the elected wrote lands when it stands still and another one has the lease. */
const lateTaking: Story = {
  databases: [3, 4, 5],
  k: 1,
  faults: (random, fromMs) => {
    const event = { event: 'failover.ballot', nth: random.integer(1, 2) };
    return [
      {
        kind: 'host-crashed',
        node: holder,
        other: 'db2',
        when: { atMs: fromMs },
        forMs: random.between(15_000, 30_000),
      },
      {
        kind: 'store-late',
        node: speaker,
        other: 'db2',
        when: { ...event, delayMs: random.skewed(0.1, 10) },
        forMs: 1_000,
      },
      {
        kind: 'agent-frozen',
        node: speaker,
        other: 'db2',
        when: { ...event, delayMs: random.between(20, 900) },
        forMs: random.between(leaseIsOverMs.least, leaseIsOverMs.most),
      },
    ];
  },
};

/** The holder and some of its standbys are cut from the store and from the rest. */
const halves: Story = {
  databases: [4, 5],
  k: 2,
  faults: (random, fromMs) => [
    {
      kind: 'cut-in-halves',
      node: holder,
      other: random.pick(['db2', 'db3', 'db4']),
      when: { atMs: fromMs },
      forMs: random.between(leaseIsOverMs.least, 20_000),
    },
  ],
};

/** The primary and the only standby that has the last commits are gone: the one that is left must not be enough. */
const onlyTheLaggardIsLeft: Story = {
  databases: [3],
  k: 1,
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
  databases: [3, 4],
  k: 1,
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

export const stories: readonly Story[] = [
  lateAnswer,
  frozenWhilePromoting,
  lateTaking,
  halves,
  onlyTheLaggardIsLeft,
  furthestHasNotReplayed,
];
