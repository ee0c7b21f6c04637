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
      kind: random.pick(['agent-frozen', 'host-suspended'] as const),
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

export const stories: readonly Story[] = [lateAnswer, frozenWhilePromoting, lateTaking, halves];
