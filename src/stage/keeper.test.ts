import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Daemon, startDaemon } from '../process/daemon.ts';
import { sendSignal } from '../process/signal.ts';
import { createLinuxClock } from '../timing/linux-clock.ts';
import { endKeeper, keeperPid, keepStage } from './keeper.ts';
import type { StageRecord } from './record.ts';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'understudy-keeper-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function recordIn(root: string): StageRecord {
  return {
    ...{ version: 1, cluster: 'stage', domain: 'stage.internal', root, run: join(root, 'run'), network: '127.1.1' },
    ...{ namespaces: false, diskMb: null, user: { name: 'nobody', uid: 65_534, gid: 65_534 } },
    ...{ storeMembers: [], storeHosts: [], nodes: [] },
  };
}

it('keeps nothing that it was not named for: the stage may have been ended before it ran', async () => {
  const root = join(directory, '.understudy');
  mkdirSync(root);
  writeFileSync(join(root, 'stage.json'), JSON.stringify(recordIn(root)));
  let now = 0;
  const sleep = async (ms: number) => {
    now += ms;
  };
  await keepStage(directory, { ...createLinuxClock(), boottimeMs: () => now, sleep }, new AbortController().signal);
  expect(existsSync(join(root, 'keeper.pid'))).toBe(false);
});

describe('the keeper of a stage', () => {
  let keeper: Daemon;
  const keep = async (root: string): Promise<void> => {
    const program = join(root, 'program', 'understudy.mjs');
    const args = ['-e', 'setTimeout(() => {}, 600_000)', program, 'stage', 'keep', '--directory', directory];
    keeper = await startDaemon(process.execPath, args, { cwd: '/', logFile: join(directory, 'log') });
    writeFileSync(join(directory, 'keeper.pid'), String(keeper.pid));
  };
  afterEach(() => void sendSignal(keeper, 'SIGKILL'));

  it('is known by the program that it runs: its id may be that of another stage by now', async () => {
    await keep(directory);
    expect(keeperPid(recordIn(directory))).toBe(keeper.pid);
    sendSignal(keeper, 'SIGKILL');
    await keeper.exited;
    await keep('/elsewhere');
    expect(keeperPid(recordIn(directory))).toBeNull();
  });

  it('is not waited for without end, nor for one that is not ours to end', async () => {
    await keep(directory);
    let now = 0;
    const sleep = async (ms: number) => {
      now += ms;
    };
    const clock = { ...createLinuxClock(), boottimeMs: () => now, sleep };
    await expect(endKeeper(recordIn(directory), clock, () => 'denied')).rejects.toMatchObject({ code: 'REFUSED' });
    await expect(endKeeper(recordIn(directory), clock, () => 'sent')).rejects.toMatchObject({
      code: 'STAGE_FAILED',
      message: expect.stringContaining(`process ${keeper.pid}, does not end`),
    });
    expect(now).toBeLessThan(6_000);
  });
});
