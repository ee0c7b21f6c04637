/**
 * What writers see of planned switchovers, beside the floor of the same run: half of the floor's moves are made before
 * the stage's and half after, so that a machine that grows slower or faster weighs on both.
 *
 * Prints JSON. A gap is the longest time without an acknowledged commit to any writer around one move.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { figuresOf, rounded, spread } from './figures.ts';
import { measureFloor } from './floor.ts';
import { createLoadTable, type LoadFailure, longestGap, longestWriterGap, monotonicMs, verifyLoad } from './load.ts';
import { startLoadThread } from './load-thread.ts';
import { machineFacts } from './machine.ts';
import { StageUnderTest } from './stage-under-test.ts';

const moves = 10;
const writers = 8;
const calmMs = 1_500;
const aroundMs = 500;

const tell = (line: string): void => console.error(line);

interface Window {
  readonly fromMs: number;
  readonly toMs: number;
}

/** In which move it happened, and how long after the start of its command. */
function describeFailure({ outcome, because, atMs }: LoadFailure, windows: readonly Window[]): string {
  const move = windows.findLastIndex(({ fromMs }) => atMs >= fromMs);
  const afterMs = rounded(atMs - (windows[move]?.fromMs ?? atMs), 0);
  return `move ${move + 1} after ${afterMs} ms, ${outcome}: ${because}`;
}

async function measureStage(stage: StageUnderTest) {
  const connect = stage.application();
  await createLoadTable(connect, 'load');
  const load = startLoadThread({ connect, writers, run: 'stage', table: 'load' });
  const windows: Window[] = [];
  const receipts = [];
  for (let count = 0; count < moves; count += 1) {
    await delay(calmMs);
    const beganMs = monotonicMs();
    const receipt = await stage.move();
    windows.push({ fromMs: beganMs, toMs: monotonicMs() + aroundMs });
    receipts.push(receipt);
    await stage.untilHealthy();
    tell(
      `stage ${count + 1}: ${receipt.from} to ${receipt.to}, paused ${Math.round(receipt.pauseMs ?? Number.NaN)} ms`,
    );
  }
  await delay(calmMs);
  const account = await load.stop();
  return {
    gaps: windows.map(({ fromMs, toMs }) => longestGap(account, fromMs, toMs).ms),
    /** From the start of the command to the start of its gap. */
    gapBeganMs: windows.map(({ fromMs, toMs }) => longestGap(account, fromMs, toMs).fromMs - fromMs),
    writerGaps: windows.map(({ fromMs, toMs }) => longestWriterGap(account, fromMs, toMs)),
    pauses: receipts.flatMap((receipt) => receipt.pauseMs ?? []),
    phases: receipts.map((receipt) => Object.fromEntries(receipt.phases.map(({ phase, ms }) => [phase, ms]))),
    failures: account.failures.map((failure) => describeFailure(failure, windows)),
    verification: await verifyLoad(connect, account),
  };
}

/** As `initdb` makes a server, and with the segments that this product chooses (docs/adr/0004). */
const bareSegmentMb = 16;
const ownSegmentMb = 4;
const before = await measureFloor(moves / 2, writers, bareSegmentMb, tell);
const tunedBefore = await measureFloor(moves / 2, writers, ownSegmentMb, tell);
const stage = await StageUnderTest.with({ nodes: 3, appNodes: 1 }, measureStage);
const after = await measureFloor(moves / 2, writers, bareSegmentMb, tell);
const tunedAfter = await measureFloor(moves / 2, writers, ownSegmentMb, tell);

const gapMs = spread(stage.gaps);
const floorMs = spread([...before.gapsMs, ...after.gapsMs]);
const tunedFloorMs = spread([...tunedBefore.gapsMs, ...tunedAfter.gapsMs]);
console.log(
  JSON.stringify(
    {
      gapMs,
      floorMs,
      ratioMedian: rounded(gapMs.median / floorMs.median, 2),
      /** The worst move against the usual one of the floor. */
      ratioWorst: rounded(gapMs.worst / floorMs.median, 2),
      tunedFloorMs,
      ratioMedianToTuned: rounded(gapMs.median / tunedFloorMs.median, 2),
      failedTransactions: stage.failures.length,
      failures: stage.failures,
      lostTransactions: stage.verification.lost.length,
      phasesMs: figuresOf(stage.phases),
      pauseMs: spread(stage.pauses),
      unluckiestWriterMs: spread(stage.writerGaps),
      floorPhasesMs: figuresOf([...before.phases, ...after.phases]),
      tunedFloorPhasesMs: figuresOf([...tunedBefore.phases, ...tunedAfter.phases]),
      gapsMs: stage.gaps.map((gap) => rounded(gap)),
      gapBeganMs: stage.gapBeganMs.map((ms) => rounded(ms, 0)),
      floorGapsMs: [...before.gapsMs, ...after.gapsMs].map((gap) => rounded(gap)),
      commits: { stage: stage.verification.acknowledged, floor: before.commits + after.commits },
      floorFailedTransactions: before.failedTransactions + after.failedTransactions,
      machine: await machineFacts(),
    },
    null,
    2,
  ),
);
