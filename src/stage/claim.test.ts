import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type Daemon, startDaemon } from '../process/daemon.ts';
import { isAlive } from '../process/identity.ts';
import { sendSignal } from '../process/signal.ts';
import { createLinuxClock } from '../timing/linux-clock.ts';
import { claimStage, endClaimant } from './claim.ts';

let directory: string;
let other: Daemon | null = null;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'understudy-claim-'));
});
afterEach(() => {
  if (other !== null) sendSignal(other, 'SIGKILL');
  other = null;
  rmSync(directory, { recursive: true, force: true });
});

async function claimOfAnother() {
  other = await startDaemon('sleep', ['60'], { cwd: '/', logFile: join(directory, 'log') });
  const claimant = { pid: other.pid, startTicks: other.startTicks };
  mkdirSync(join(directory, '.understudy'), { recursive: true });
  writeFileSync(join(directory, '.understudy', 'up.json'), JSON.stringify(claimant));
  return claimant;
}

it('is one at a time, and leaves nothing', () => {
  const release = claimStage(directory);
  expect(() => claimStage(directory)).toThrow(`process ${process.pid} is bringing up a stage`);
  release();
  expect(existsSync(join(directory, '.understudy'))).toBe(false);
  claimStage(directory)();
});

it('passes over a claimant that was killed', async () => {
  const claimant = await claimOfAnother();
  expect(() => claimStage(directory)).toThrow(`process ${claimant.pid} is`);
  // The id is taken again, by a process that started at another time.
  writeFileSync(join(directory, '.understudy', 'up.json'), JSON.stringify({ ...claimant, startTicks: 1 }));
  claimStage(directory)();
});

it('ends whoever is at work, and nobody else', async () => {
  const claimant = await claimOfAnother();
  await endClaimant(directory, createLinuxClock());
  expect(isAlive(claimant)).toBe(false);
  const release = claimStage(directory);
  await endClaimant(directory, createLinuxClock()); // its own
  release();
});

it('says where a stage would keep its files, and that it can not', () => {
  writeFileSync(join(directory, '.understudy'), '');
  expect(() => claimStage(directory)).toThrow(`${directory}/.understudy is no directory`);
  expect(() => claimStage(join(directory, 'n'.repeat(300)))).toThrow("which can't be written");
});
