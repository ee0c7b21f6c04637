/**
 * A stage whose hosts have networks and disks of their own, hurt by the same verbs that an operator has: what the cluster
 * does about a partition, a hung agent and a full disk, and that ending the stage leaves nothing on this machine.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, describe, expect, test } from 'vitest';
import { exitCodes } from '../src/errors/exit-codes.ts';
import type { LoadReport } from '../src/load/run.ts';
import { sendSignal } from '../src/process/signal.ts';
import { endKeeper, keeperPid } from '../src/stage/keeper.ts';
import { stageProcesses } from '../src/stage/processes.ts';
import type { StageRecord } from '../src/stage/record.ts';
import { createLinuxClock } from '../src/timing/linux-clock.ts';
import { type TestStage, withStage } from './fixtures/stage.ts';
import { startStageLoad } from './fixtures/stage-load.ts';

/** `npm run test:long`: every fault here; otherwise the first, and `npm run faults` measures all of them. */
const isLong = process.env.TEST_LONG === '1';
const isRoot = process.getuid?.() === 0;
const withoutRoot = isRoot ? '' : ' (skipped: only root may make network namespaces and mounts)';
const healedWithinMs = 120_000;
const commitsBefore = 100;
/** The keeper starts what ended a second later. */
const longerThanARestartMs = 4_000;

interface Row {
  readonly fault: string;
  readonly primaryMoved: boolean;
  readonly longestGapMs: number;
  readonly ok: number;
  readonly failed: number;
  readonly unknown: number;
}

const table: Row[] = [];
afterAll(() => {
  if (table.length > 0) console.table(table);
});

describe.skipIf(!isRoot)(`a stage with networks and disks of its own${withoutRoot}`, () => {
  test('loses nothing that was acknowledged as replicated, whatever is cut off, hung or full', {
    timeout: 900_000,
  }, async () => {
    const stages: StageRecord[] = [];
    await withStage({ nodes: 3, appNodes: 1, namespaces: true, diskMb: 512 }, async (stage) => {
      stages.push(stage.record);
      await primaryCutOff(stage);
      if (!isLong) return;
      await sendsButHearsNothing(stage);
      await storeCutOff(stage);
      await peersCutOff(stage);
      await agentHangs(stage);
      await diskOfStandbyFull(stage);
      await diskOfPrimaryFull(stage);
    });
    expect(stages.flatMap(traces)).toEqual([]);
  });

  test('leaves nothing behind when every process of it dies at once', { timeout: 120_000 }, async () => {
    await withStage({ nodes: 1, appNodes: 0, namespaces: true, diskMb: 256 }, async ({ record, cli }) => {
      await order(cli, 'freeze-disk', 'db1', '--for', '1s');
      await expect.poll(() => listed(cli), { timeout: 20_000 }).toEqual([]);
      await killAll(record);
      await expect.poll(() => traces(record), { timeout: 10_000 }).toEqual([]);
    });
  });

  test('lets go a disk that hung when all of the stage was killed', { timeout: 120_000 }, async () => {
    const stages: StageRecord[] = [];
    await withStage({ nodes: 1, appNodes: 0, namespaces: true, diskMb: 256 }, async (stage) => {
      stages.push(stage.record);
      // So that no process waits for the disk: one that does can't be killed before it is thawed.
      for (const what of ['agent', 'postgres']) await order(stage.cli, 'kill', 'db1', '--what', what, '--for', '60s');
      await order(stage.cli, 'freeze-disk', 'db1');
      await killAll(stage.record);
    });
    expect(stages.flatMap(traces)).toEqual([]);
  });
});

test('a stage on one network refuses what needs networks or disks of its own', { timeout: 120_000 }, async () => {
  await withStage({ nodes: 1, appNodes: 0 }, async (stage) => {
    const { cli } = stage;
    for (const args of [
      ['partition', 'db1'],
      ['fill', 'db1'],
      ['freeze-disk', 'db1'],
    ]) {
      const refused = await cli('stage', 'fault', ...args);
      expect({ code: refused.code, stderr: refused.stderr }).toEqual({
        code: exitCodes.refused,
        stderr: expect.stringMatching(/network|disk of its own/),
      });
    }
    expect((await cli('stage', 'fault', 'kill', 'db9', '--what', 'agent')).code).toBe(exitCodes.usage);

    // A host that is gone stays gone, store member and all, until it is healed; a second loss of it is refused.
    await order(cli, 'kill', 'db1', '--what', 'all');
    expect((await cli('stage', 'fault', 'kill', 'db1', '--what', 'all')).code).toBe(exitCodes.refused);
    await delay(longerThanARestartMs);
    expect(stageProcesses(stage.record)).toEqual([]);
    await order(cli, 'heal', 'db1');
    await stage.untilHealthy(healedWithinMs);

    // One with an end of its own comes back without anybody.
    const [before] = stage.processes('agent', 'db1');
    await order(cli, 'kill', 'db1', '--what', 'agent', '--for', '2s');
    await expect.poll(() => listed(cli), { timeout: 30_000, interval: 200 }).toEqual([]);
    await expect.poll(() => stage.processes('agent', 'db1').length, { timeout: 30_000, interval: 200 }).toBe(1);
    expect(stage.processes('agent', 'db1')[0]?.pid).not.toBe(before?.pid);
    // A stage whose agents do not answer yet would be brought up instead of refused.
    await stage.untilHealthy(healedWithinMs);
    await keeperIsReplaced(stage);
  });
});

/** By a fault with an end of its own, or by whoever brings the stage up again. */
async function keeperIsReplaced({ cli, record }: TestStage): Promise<void> {
  const up = async () => await cli('stage', 'up', '--detach', '--json');
  expect((await up()).code).toBe(exitCodes.refused);
  await endKeeper(record, createLinuxClock());
  expect((await cli('stage', 'fault', 'list')).stderr).toContain('keeper has ended');
  expect((await cli('doctor')).stdout).toContain('keeper has ended');
  const { code, stdout } = await up();
  expect({ code, answer: JSON.parse(stdout) }).toMatchObject({ code: 0, answer: { keeperStarted: true } });
  expect(keeperPid(record)).not.toBeNull();
  expect((await cli('stage', 'fault', 'list')).stderr).toBe('');
  await endKeeper(record, createLinuxClock());
  await order(cli, 'freeze', 'db1', '--what', 'fence', '--for', '1s');
  await expect.poll(() => listed(cli), { timeout: 20_000, interval: 200 }).toEqual([]);
}

/** As a machine's out-of-memory killer would, at its worst: not even the keeper is left. */
async function killAll(record: StageRecord): Promise<void> {
  await endKeeper(record, createLinuxClock());
  const strike = () => {
    const left = stageProcesses(record);
    for (const one of left) sendSignal(one, 'SIGKILL');
    return left;
  };
  await expect.poll(strike, { timeout: 20_000 }).toEqual([]);
}

type Cli = TestStage['cli'];

async function order(cli: Cli, ...args: readonly string[]): Promise<void> {
  const result = await cli('stage', 'fault', ...args);
  expect(result.stderr).toBe('');
  expect(result.code).toBe(exitCodes.done);
}

async function listed(cli: Cli): Promise<unknown> {
  return JSON.parse((await cli('stage', 'fault', 'list', '--json')).stdout);
}

async function whole(stage: TestStage): Promise<string> {
  return (await stage.untilWhole(healedWithinMs)).primary ?? '';
}

/** The fault under load that asks for replicated commits; afterwards all is healed, whole, and judged on every node. */
async function under(
  stage: TestStage,
  fault: string,
  strike: (primary: string) => Promise<void>,
): Promise<{ readonly before: string; readonly after: string }> {
  const before = await whole(stage);
  const writing = await startStageLoad(stage, { writers: 4, commit: 'on' });
  await writing.untilCommitted(commitsBefore);
  try {
    await strike(before);
  } finally {
    await order(stage.cli, 'heal');
  }
  const after = await whole(stage);
  const { verdict } = await writing.judged();
  table.push({ fault, primaryMoved: before !== after, longestGapMs: verdict.longestGap.ms, ...sums(verdict) });
  expect({ fault, verdict }).toMatchObject({ fault, verdict: { outcome: 'sound', findings: 0 } });
  return { before, after };
}

function sums({ workloads }: LoadReport['verdict']) {
  const sum = (figure: 'ok' | 'failed' | 'unknown') => workloads.reduce((total, one) => total + one[figure], 0);
  return { ok: sum('ok'), failed: sum('failed'), unknown: sum('unknown') };
}

async function untilAnother(stage: TestStage, before: string): Promise<void> {
  await stage.until('another node is primary', ({ primary }) => primary !== null && primary !== before);
}

/** Its postmaster ends without anybody being able to tell it to. */
async function untilDemoted(stage: TestStage, node: string): Promise<void> {
  await expect
    .poll(() => stage.processes('postmaster', node).length, { timeout: 30_000, interval: 50, message: node })
    .toBe(0);
}

async function primaryCutOff(stage: TestStage): Promise<void> {
  await under(stage, 'primary cut off from all', async (primary) => {
    await order(stage.cli, 'partition', primary);
    await untilDemoted(stage, primary);
    await untilAnother(stage, primary);
    expect(stage.processes('agent', primary)).toHaveLength(1);
  });
}

async function sendsButHearsNothing(stage: TestStage): Promise<void> {
  await under(stage, 'primary hears nothing', async (primary) => {
    await order(stage.cli, 'partition', primary, '--one-way', 'in');
    await untilDemoted(stage, primary);
    await untilAnother(stage, primary);
  });
}

async function storeCutOff(stage: TestStage): Promise<void> {
  await under(stage, 'primary cut off from the store only', async (primary) => {
    await order(stage.cli, 'partition', primary, '--from', 'store', '--for', '20s');
    // It may stay, by its standbys' promises, or be replaced; the fault's end comes by itself either way.
    await expect.poll(() => listed(stage.cli), { timeout: 60_000, interval: 500 }).toEqual([]);
  });
}

async function peersCutOff(stage: TestStage): Promise<void> {
  const { before, after } = await under(stage, 'primary cut off from its peers only', async (primary) => {
    await order(stage.cli, 'partition', primary, '--from', 'peers', '--for', '10s');
    await expect.poll(() => listed(stage.cli), { timeout: 60_000, interval: 500 }).toEqual([]);
  });
  // It holds its lease all the time.
  expect(after).toBe(before);
}

async function agentHangs(stage: TestStage): Promise<void> {
  await under(stage, "primary's agent hangs for 20 s", async (primary) => {
    await order(stage.cli, 'freeze', primary, '--what', 'agent', '--for', '20s');
    await untilDemoted(stage, primary);
    await untilAnother(stage, primary);
    await expect.poll(() => listed(stage.cli), { timeout: 60_000, interval: 500 }).toEqual([]);
  });
}

async function diskOfStandbyFull(stage: TestStage): Promise<void> {
  const { before, after } = await under(stage, 'disk of a standby is full', async (primary) => {
    const standby = primary === 'db2' ? 'db3' : 'db2';
    await order(stage.cli, 'fill', standby);
    // Time in which WAL has to be written there, not a wait for anything: the primary must go on meanwhile.
    await delay(5_000);
  });
  expect(after).toBe(before);
}

async function diskOfPrimaryFull(stage: TestStage): Promise<void> {
  await under(stage, 'disk of the primary is full', async (primary) => {
    await order(stage.cli, 'fill', primary);
    // As by a switchover while it can still stop in order, or by a failover when a write has failed before that.
    await untilAnother(stage, primary);
  });
}

/** What of a stage is on this machine besides its files. */
function traces(record: StageRecord): readonly string[] {
  const processes = stageProcesses(record).map(({ pid, kind }) => `${kind} ${pid}`);
  const images = readdirSync('/sys/block')
    .map((name) => `/sys/block/${name}/loop/backing_file`)
    .filter((path) => existsSync(path))
    .map((path) => readFileSync(path, 'utf8').trim())
    .filter((image) => image.startsWith(record.root));
  const addresses = Object.values(networkInterfaces())
    .flatMap((all) => (all ?? []).map(({ address }) => address))
    .filter((address) => address.startsWith(`${record.network}.`));
  return [...processes, ...images, ...addresses];
}
