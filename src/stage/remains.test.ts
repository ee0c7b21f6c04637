/** A stage whose record says nothing any more can still be ended, and every verb says how. */
import { existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isUnderstudyError } from '../errors/understudy-error.ts';
import { type Daemon, startDaemon } from '../process/daemon.ts';
import { isAlive } from '../process/identity.ts';
import { sendSignal } from '../process/signal.ts';
import { createLinuxClock } from '../timing/linux-clock.ts';
import { findStage } from './record.ts';
import { stageDown } from './stage.ts';

const clock = createLinuxClock();
let directory: string;
let worker: Daemon;

beforeEach(async () => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), 'understudy-remains-')));
  const home = join(directory, '.understudy', 'db1');
  mkdirSync(home, { recursive: true });
  writeFileSync(join(home, 'node.yaml'), '');
  worker = await startDaemon('sleep', ['600'], { cwd: home, logFile: join(directory, 'log') });
});
afterEach(() => {
  sendSignal(worker, 'SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});

const record = { version: 1, cluster: 'stage', domain: 'stage.internal', root: '/', run: '/', network: '127.1.1' };

describe.each([
  ['is empty', ''],
  ['is no JSON', '{'],
  ['holds no record of a stage', '[]'],
  ['is of version 7, and this program knows version 1 alone', '{"version":7}'],
  ['is damaged at user, storeMembers, nodes.0', JSON.stringify({ ...record, nodes: ['db1'] })],
  ['is a directory', null],
])('a record that %s', (how, content) => {
  beforeEach(() => {
    const file = join(directory, '.understudy', 'stage.json');
    if (content === null) mkdirSync(file);
    else writeFileSync(file, content);
  });

  it('is told in one line, with what to do', () => {
    const message = `the record of the stage, ${directory}/.understudy/stage.json, ${how}`;
    const hint = expect.stringContaining('understudy stage down --purge');
    expect(failureOf(() => findStage(directory))).toEqual({ code: 'CONFIG_INVALID', message, hint });
  });

  it('keeps nobody from ending what runs, and from removing the files', async () => {
    const kept = await stageDown({ directory, purge: false, clock });
    expect(kept).toMatchObject({ ended: 1, damage: { code: 'CONFIG_INVALID' } });
    expect(isAlive(worker)).toBe(false);
    await stageDown({ directory, purge: true, clock });
    expect(existsSync(join(directory, '.understudy'))).toBe(false);
    expect(await stageDown({ directory, purge: true, clock })).toBeNull();
  });
});

it('a record that somebody removed is not missed either', async () => {
  expect(await stageDown({ directory, purge: true, clock })).toEqual({ ended: 1, damage: null });
  expect(isAlive(worker)).toBe(false);
  expect(existsSync(join(directory, '.understudy'))).toBe(false);
});

function failureOf(act: () => unknown) {
  try {
    act();
  } catch (error) {
    if (isUnderstudyError(error)) return { code: error.code, message: error.message, hint: error.hint };
    throw error;
  }
  return null;
}
