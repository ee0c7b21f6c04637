/** Stories about planned moves of the primary. */
import { holder, type PlannedFault, speaker } from '../planned-fault.ts';
import type { Random } from '../world/random.ts';
import { after, at, fault, type Story, switchover } from './story.ts';

/** Messages are slow, and the target is cut from the primary before the writers are paused: what it lacks then, it never gets. */
function targetIsCutOff(random: Random, fromMs: number): readonly PlannedFault[] {
  return [
    fault('network-slow', holder, at(fromMs), 30_000),
    fault('cut-from-one', holder, after('switchover.started', random.skewed(0.1, 30), { fromMs }), 25_000),
  ];
}

/** Nothing fails, messages are only slow, and the primary moves: nobody may notice. */
const calmMoves: Story = {
  name: 'calm-moves',
  databases: [2, 3],
  isAlone: true,
  faults: (_random, fromMs) => [fault('network-slow', holder, at(fromMs), 25_000)],
  commands: (random, fromMs) => [
    switchover(at(fromMs + random.between(500, 1_500))),
    switchover(at(fromMs + random.between(7_000, 9_000))),
  ],
};

/** The target never gets all, and there is time enough to see it. */
const targetFallsBehind: Story = {
  name: 'target-falls-behind',
  databases: [3],
  faults: targetIsCutOff,
  commands: (_random, fromMs) => [switchover(at(fromMs + 300), { to: 'db2', paceMs: 2_500 })],
};

/** The target never gets all, and PostgreSQL ends without its shutdown checkpoint. */
const killedWhileStopping: Story = {
  name: 'killed-while-stopping',
  databases: [3],
  faults: (random, fromMs) => [
    ...targetIsCutOff(random, fromMs),
    fault('server-killed', speaker, after('act.stop', random.skewed(0.1, 300), { fromMs }), 1),
  ],
  commands: (_random, fromMs) => [switchover(at(fromMs + 300), { to: 'db2' })],
};

/** The target is told to promote itself, and its disk hangs until it is too late. */
const promotionHangs: Story = {
  name: 'promotion-hangs',
  databases: [2, 3],
  faults: (random, fromMs) => [
    fault(
      'disk-frozen',
      speaker,
      after('act.promote', random.between(0, 6), { fromMs }),
      random.between(10_500, 16_000),
    ),
  ],
  commands: (_random, fromMs) => [switchover(at(fromMs), { to: 'db2' })],
};

/** Every handover that the target writes lands seconds later, when the old primary has taken it all back. */
const lateHandover: Story = {
  name: 'late-handover',
  databases: [2, 3],
  faults: (random, fromMs) => [
    fault('handover-late', 'db2', at(fromMs), 14_000),
    fault('agent-frozen', 'db1', after('store.lease', random.skewed(0.05, 3), { fromMs: fromMs + 1_000 }), 8_000),
  ],
  commands: (random, fromMs) => [switchover(at(fromMs + random.between(100, 600)), { to: 'db2' })],
};

/** A pooler is cut from everybody while it is paused, for longer than any operation lasts. */
const deafPooler: Story = {
  name: 'deaf-pooler',
  databases: [2],
  troubleMs: 62_000,
  faults: (random, fromMs) => [
    fault('app-cut-from-all', 'app1', after('pooler.paused', random.skewed(0.05, 4), { fromMs }), 70_000),
  ],
  commands: (_random, fromMs) => [switchover(at(fromMs))],
};

export const switchoverStories: readonly Story[] = [
  calmMoves,
  targetFallsBehind,
  killedWhileStopping,
  promotionHangs,
  lateHandover,
  deafPooler,
];
