/** Stories about planned moves of the primary. */
import { holder, speaker } from '../planned-fault.ts';
import type { Story } from './story.ts';

/** Nothing fails, messages are only slow, and the primary moves: nobody may notice. */
const calmMoves: Story = {
  name: 'calm-moves',
  databases: [2, 3],
  isAlone: true,
  faults: (_random, fromMs) => [
    { kind: 'network-slow', node: holder, other: 'db2', when: { atMs: fromMs }, forMs: 25_000 },
  ],
  commands: (random, fromMs) => [
    { what: 'switchover', node: 'db1', when: { atMs: fromMs + random.between(500, 1_500) } },
    { what: 'switchover', node: 'db1', when: { atMs: fromMs + random.between(7_000, 9_000) } },
  ],
};

/** The target is cut from the primary before the writers are paused: what it lacks then, it never gets. */
const targetFallsBehind: Story = {
  name: 'target-falls-behind',
  databases: [3],
  faults: (random, fromMs) => [
    { kind: 'network-slow', node: holder, other: 'db2', when: { atMs: fromMs }, forMs: 30_000 },
    {
      kind: 'cut-from-one',
      node: holder,
      other: 'db2',
      when: { event: 'switchover.started', nth: 1, delayMs: random.skewed(0.1, 30), fromMs },
      forMs: 25_000,
    },
  ],
  commands: (_random, fromMs) => [
    { what: 'switchover', node: 'db1', to: 'db2', paceMs: 2_500, when: { atMs: fromMs + 300 } },
  ],
};

/** The target is cut from the primary before the writers are paused, and PostgreSQL ends without its shutdown checkpoint. */
const killedWhileStopping: Story = {
  name: 'killed-while-stopping',
  databases: [3],
  faults: (random, fromMs) => [
    { kind: 'network-slow', node: holder, other: 'db2', when: { atMs: fromMs }, forMs: 30_000 },
    {
      kind: 'cut-from-one',
      node: holder,
      other: 'db2',
      when: { event: 'switchover.started', nth: 1, delayMs: random.skewed(0.1, 30), fromMs },
      forMs: 25_000,
    },
    {
      kind: 'server-killed',
      node: speaker,
      other: 'db2',
      when: { event: 'act.stop', nth: 1, delayMs: random.skewed(0.1, 300), fromMs },
      forMs: 1,
    },
  ],
  commands: (_random, fromMs) => [{ what: 'switchover', node: 'db1', to: 'db2', when: { atMs: fromMs + 300 } }],
};

/** The target is told to promote itself, and its disk hangs until it is too late. */
const promotionHangs: Story = {
  name: 'promotion-hangs',
  databases: [2, 3],
  faults: (random, fromMs) => [
    {
      kind: 'disk-frozen',
      node: speaker,
      other: 'db1',
      when: { event: 'act.promote', nth: 1, delayMs: random.between(0, 6), fromMs },
      forMs: random.between(10_500, 16_000),
    },
  ],
  commands: (_random, fromMs) => [{ what: 'switchover', node: 'db1', to: 'db2', when: { atMs: fromMs } }],
};

/** Every handover that the target writes lands seconds later, when the old primary has taken it all back. */
const lateHandover: Story = {
  name: 'late-handover',
  databases: [2, 3],
  faults: (random, fromMs) => [
    { kind: 'handover-late', node: 'db2', other: 'db1', when: { atMs: fromMs }, forMs: 14_000 },
    {
      kind: 'agent-frozen',
      node: 'db1',
      other: 'db2',
      when: { event: 'store.lease', nth: 1, delayMs: random.skewed(0.05, 3), fromMs: fromMs + 1_000 },
      forMs: 8_000,
    },
  ],
  commands: (random, fromMs) => [
    { what: 'switchover', node: 'db1', to: 'db2', when: { atMs: fromMs + random.between(100, 600) } },
  ],
};

/** A pooler is cut from everybody while it is paused, for longer than any operation lasts. */
const deafPooler: Story = {
  name: 'deaf-pooler',
  databases: [2],
  troubleMs: 62_000,
  faults: (random, fromMs) => [
    {
      kind: 'app-cut-from-all',
      node: 'app1',
      other: 'db1',
      when: { event: 'pooler.paused', nth: 1, delayMs: random.skewed(0.05, 4), fromMs },
      forMs: 70_000,
    },
  ],
  commands: (_random, fromMs) => [{ what: 'switchover', node: 'db1', when: { atMs: fromMs } }],
};

export const switchoverStories: readonly Story[] = [
  calmMoves,
  targetFallsBehind,
  killedWhileStopping,
  promotionHangs,
  lateHandover,
  deafPooler,
];
