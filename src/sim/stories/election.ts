/** Stories about the lease, the fence and elections. */
import { holder, speaker } from '../planned-fault.ts';
import { gone, leaseIsOverMs, type Story } from './story.ts';

/** The last renewal is answered late, and then nothing comes any more: the fence must have counted from the sending. */
const lateAnswer: Story = {
  name: 'late-answer',
  databases: [2, 3],
  faults: (random, fromMs) => {
    const cutAtMs = fromMs + random.between(2_000, 5_000);
    return [
      { kind: 'store-answers-late', node: holder, other: 'db2', when: { atMs: fromMs }, forMs: 8_000 },
      {
        kind: 'cut-from-all',
        node: holder,
        other: 'db2',
        when: { atMs: cutAtMs },
        forMs: random.between(gone.least, gone.most),
      },
      {
        kind: 'agent-frozen',
        node: holder,
        other: 'db2',
        when: { atMs: cutAtMs + random.between(900, 2_000) },
        forMs: random.between(leaseIsOverMs.least, leaseIsOverMs.most),
      },
    ];
  },
};

/** The elected stands still between its decision and the promotion, until another one has been elected. */
const frozenWhilePromoting: Story = {
  name: 'frozen-while-promoting',
  databases: [4, 5],
  durability: { k: 2 },
  faults: (random, fromMs) => [
    {
      kind: 'host-crashed',
      node: holder,
      other: 'db2',
      when: { atMs: fromMs },
      forMs: random.between(gone.least, gone.most),
    },
    {
      kind: 'agent-frozen',
      node: speaker,
      other: 'db2',
      when: { event: 'act.promote', nth: 1, delayMs: random.skewed(0.05, 6) },
      forMs: random.between(leaseIsOverMs.least, leaseIsOverMs.most),
    },
  ],
};

/** The holder's server is gone, and its agent stands still between its decision and the start, until another one is primary. */
const frozenWhileStarting: Story = {
  name: 'frozen-while-starting',
  databases: [2, 3, 4],
  faults: (random, fromMs) => [
    { kind: 'server-killed', node: holder, other: 'db2', when: { atMs: fromMs }, forMs: 100 },
    {
      kind: 'agent-frozen',
      node: speaker,
      other: 'db2',
      when: { event: 'act.start', nth: 1, delayMs: random.skewed(0.05, 12), fromMs },
      forMs: random.between(leaseIsOverMs.least + 800, leaseIsOverMs.most),
    },
  ],
};

/** What the elected wrote lands when it stands still and another one has the lease. */
const lateTaking: Story = {
  name: 'late-taking',
  databases: [3, 4, 5],
  faults: (random, fromMs) => {
    const event = { event: 'failover.ballot', nth: random.integer(1, 2) };
    return [
      {
        kind: 'host-crashed',
        node: holder,
        other: 'db2',
        when: { atMs: fromMs },
        forMs: random.between(gone.least, gone.most),
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

/** The elected dies for ever between its ballot and the taking, and so did the primary. */
const deadWinner: Story = {
  name: 'dead-winner',
  databases: [5],
  durability: { k: 2 },
  isAlone: true,
  faults: (random, fromMs) => [
    { kind: 'host-crashed', node: holder, other: 'db2', when: { atMs: fromMs }, forMs: 1, forEver: true },
    {
      kind: 'agent-dead',
      node: 'db2',
      other: 'db1',
      when: { event: 'failover.ballot', nth: 4, delayMs: random.skewed(0.05, 5), fromMs },
      forMs: 1,
      forEver: true,
    },
  ],
};

/** The holder and some of its standbys are cut from the store and from the rest. */
const halves: Story = {
  name: 'halves',
  databases: [4, 5],
  durability: { k: 2 },
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

/** A watch finds its history forgotten; when the primary moves after that, its agent must have begun anew. */
const forgottenHistory: Story = {
  name: 'forgotten-history',
  databases: [3],
  faults: (random, fromMs) => [
    { kind: 'watch-silent', node: 'db3', other: 'db1', when: { atMs: fromMs }, forMs: 3_000 },
    { kind: 'store-compacted', node: 'db1', other: 'db2', when: { atMs: fromMs + 2_500 }, forMs: 1 },
    {
      kind: 'host-crashed',
      node: holder,
      other: 'db2',
      when: { atMs: fromMs + random.between(3_500, 6_000) },
      forMs: random.between(9_000, 15_000),
    },
  ],
};

/** What outlives its postmaster does not end by itself. */
const lingeringBackends: Story = {
  name: 'lingering-backends',
  databases: [2, 3],
  faults: (_random, fromMs) => [
    { kind: 'postmaster-killed-alone', node: holder, other: 'db2', when: { atMs: fromMs }, forMs: 1 },
  ],
};

/** The disk of the primary does not answer any more, and PostgreSQL still does. */
const uselessPrimary: Story = {
  name: 'useless-primary',
  databases: [3, 4],
  isAlone: true,
  faults: (random, fromMs) => [
    {
      kind: random.pick(['disk-frozen', 'disk-dead'] as const),
      node: holder,
      other: 'db2',
      when: { atMs: fromMs },
      forMs: 1,
      forEver: true,
    },
  ],
};

/** PostgreSQL ends on the primary, and never starts there again. */
const brokenPrimary: Story = {
  name: 'broken-primary',
  databases: [3, 4],
  isAlone: true,
  faults: (_random, fromMs) => [
    { kind: 'start-fails', node: holder, other: 'db2', when: { atMs: fromMs }, forMs: 1, forEver: true },
  ],
};

/** The release after a failed start lands late, when the server has started after all, and its agent stands still. */
const lateRelease: Story = {
  name: 'late-release',
  databases: [2, 3],
  faults: (random, fromMs) => [
    { kind: 'release-late', node: holder, other: 'db2', when: { atMs: fromMs }, forMs: random.between(500, 2_500) },
    { kind: 'start-fails', node: holder, other: 'db2', when: { atMs: fromMs }, forMs: random.between(300, 2_500) },
    {
      kind: 'agent-frozen',
      node: 'db1',
      other: 'db2',
      when: { event: 'store.lease', nth: 1, delayMs: random.skewed(0.05, 3), fromMs },
      forMs: 8_000,
    },
  ],
};

/** The only standby has fallen behind by more than may be lost when the primary's host goes down. */
const tooMuchToLose: Story = {
  name: 'too-much-to-lose',
  databases: [2],
  lossLimitBytes: 64,
  faults: (random, fromMs) => [
    { kind: 'cut-from-one', node: holder, other: 'db2', when: { atMs: fromMs }, forMs: 25_000 },
    {
      kind: 'host-crashed',
      node: holder,
      other: 'db2',
      when: { atMs: fromMs + random.between(2_500, 8_000) },
      forMs: random.between(10_000, 20_000),
    },
  ],
};

export const electionStories: readonly Story[] = [
  lateAnswer,
  frozenWhilePromoting,
  frozenWhileStarting,
  lateTaking,
  deadWinner,
  halves,
  forgottenHistory,
  lingeringBackends,
  uselessPrimary,
  brokenPrimary,
  lateRelease,
  tooMuchToLose,
];
