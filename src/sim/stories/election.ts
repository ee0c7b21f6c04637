/** Stories about the lease, the fence and elections. */
import { holder, speaker } from '../planned-fault.ts';
import { after, at, fault, leaseIsOverMs, lossOf, pastTheElection, pastTheLease, type Story } from './story.ts';

/** The last renewal is answered late, and then nothing comes any more: the fence must have counted from the sending. */
const lateAnswer: Story = {
  name: 'late-answer',
  databases: [2, 3],
  faults: (random, fromMs) => {
    const cutAtMs = fromMs + random.between(2_000, 5_000);
    return [
      fault('store-answers-late', holder, at(fromMs), 8_000),
      fault('cut-from-all', holder, at(cutAtMs), pastTheElection(random)),
      fault('agent-frozen', holder, at(cutAtMs + random.between(900, 2_000)), pastTheLease(random)),
    ];
  },
};

/** The elected stands still between its decision and the promotion, until another one has been elected. */
const frozenWhilePromoting: Story = {
  name: 'frozen-while-promoting',
  databases: [4, 5],
  durability: { k: 2 },
  faults: (random, fromMs) => [
    fault('host-crashed', holder, at(fromMs), pastTheElection(random)),
    fault('agent-frozen', speaker, after('act.promote', random.skewed(0.05, 6)), pastTheLease(random)),
  ],
};

/** The holder's server is gone, and its agent stands still between its decision and the start, until another one is primary. */
const frozenWhileStarting: Story = {
  name: 'frozen-while-starting',
  databases: [2, 3, 4],
  faults: (random, fromMs) => [
    fault('server-killed', holder, at(fromMs), 100),
    fault('agent-frozen', speaker, after('act.start', random.skewed(0.05, 12), { fromMs }), pastTheLease(random, 800)),
  ],
};

/** What the elected wrote lands when it stands still and another one has the lease. */
const lateTaking: Story = {
  name: 'late-taking',
  databases: [3, 4, 5],
  faults: (random, fromMs) => {
    const nth = random.integer(1, 2);
    const ballot = (delayMs: number) => after('failover.ballot', delayMs, { nth });
    return [
      fault('host-crashed', holder, at(fromMs), pastTheElection(random)),
      fault('store-late', speaker, ballot(random.skewed(0.1, 10)), 1_000),
      fault('agent-frozen', speaker, ballot(random.between(20, 900)), pastTheLease(random)),
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
    lossOf(holder, 'host-crashed', at(fromMs)),
    lossOf('db2', 'agent-dead', after('failover.ballot', random.skewed(0.05, 5), { nth: 4, fromMs })),
  ],
};

/** The holder and some of its standbys are cut from the store and from the rest. */
const halves: Story = {
  name: 'halves',
  databases: [4, 5],
  durability: { k: 2 },
  faults: (random, fromMs) => {
    const other = random.pick(['db2', 'db3', 'db4']);
    return [fault('cut-in-halves', holder, at(fromMs), random.between(leaseIsOverMs.least, 20_000), other)];
  },
};

/** A watch finds its history forgotten; when the primary moves after that, its agent must have begun anew. */
const forgottenHistory: Story = {
  name: 'forgotten-history',
  databases: [3],
  faults: (random, fromMs) => [
    fault('watch-silent', 'db3', at(fromMs), 3_000),
    fault('store-compacted', 'db1', at(fromMs + 2_500), 1),
    fault('host-crashed', holder, at(fromMs + random.between(3_500, 6_000)), random.between(9_000, 15_000)),
  ],
};

/** What outlives its postmaster does not end by itself. */
const lingeringBackends: Story = {
  name: 'lingering-backends',
  databases: [2, 3],
  faults: (_random, fromMs) => [fault('postmaster-killed-alone', holder, at(fromMs), 1)],
};

/** The disk of the primary does not answer any more, and PostgreSQL still does. */
const uselessPrimary: Story = {
  name: 'useless-primary',
  databases: [3, 4],
  isAlone: true,
  faults: (random, fromMs) => [lossOf(holder, random.pick(['disk-frozen', 'disk-dead'] as const), at(fromMs))],
};

/** PostgreSQL ends on the primary, and never starts there again. */
const brokenPrimary: Story = {
  name: 'broken-primary',
  databases: [3, 4],
  isAlone: true,
  faults: (_random, fromMs) => [lossOf(holder, 'start-fails', at(fromMs))],
};

/** The release after a failed start lands late, when the server has started after all, and its agent stands still. */
const lateRelease: Story = {
  name: 'late-release',
  databases: [2, 3],
  faults: (random, fromMs) => [
    fault('release-late', holder, at(fromMs), random.between(500, 2_500)),
    fault('start-fails', holder, at(fromMs), random.between(300, 2_500)),
    fault('agent-frozen', 'db1', after('store.lease', random.skewed(0.05, 3), { fromMs }), 8_000),
  ],
};

/** The only standby has fallen behind by more than may be lost when the primary's host goes down. */
const tooMuchToLose: Story = {
  name: 'too-much-to-lose',
  databases: [2],
  lossLimitBytes: 64,
  faults: (random, fromMs) => [
    fault('cut-from-one', holder, at(fromMs), 25_000),
    fault('host-crashed', holder, at(fromMs + random.between(2_500, 8_000)), random.between(10_000, 20_000)),
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
