import { mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Daemon, startDaemon } from './daemon.ts';
import { identify, isAlive, processesIn, readCommandLine, readProcess, readWorkingDirectory } from './identity.ts';
import { sendSignal } from './signal.ts';

let directory: string;
let daemon: Daemon;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'understudy-process-'));
  daemon = await startDaemon('sleep', ['600'], { cwd: directory, logFile: join(directory, 'log') });
});

afterEach(async () => {
  if (sendSignal(daemon, 'SIGKILL') === 'sent') await daemon.exited;
  rmSync(directory, { recursive: true, force: true });
});

describe('a started daemon', () => {
  it('is found by its id and its working directory, which may be renamed', () => {
    expect(identify(daemon.pid)).toEqual({ pid: daemon.pid, startTicks: daemon.startTicks });
    expect(readProcess(daemon.pid)?.parent).toBe(process.pid);
    expect(readCommandLine(daemon.pid)).toEqual(['sleep', '600']);
    expect(readWorkingDirectory(daemon.pid)).toBe(directory);
    const moved = `${directory}-moved`;
    renameSync(directory, moved);
    try {
      expect(processesIn(moved).map((found) => found.pid)).toEqual([daemon.pid]);
    } finally {
      renameSync(moved, directory);
    }
    expect(processesIn('/no/such/directory')).toEqual([]);
  });

  it('leads its own session', () => {
    const session = readFileSync(`/proc/${daemon.pid}/stat`, 'latin1').split(') ')[1]?.split(' ')[3];
    expect(Number(session)).toBe(daemon.pid);
  });

  it('takes a signal only under its own identity', async () => {
    expect(sendSignal({ pid: daemon.pid, startTicks: daemon.startTicks - 1 }, 'SIGKILL')).toBe('gone');
    expect(isAlive(daemon)).toBe(true);
    expect(sendSignal(daemon, 'SIGTERM')).toBe('sent');
    expect(await daemon.exited).toEqual({ code: null, signal: 'SIGTERM' });
    expect(isAlive(daemon)).toBe(false);
    expect(sendSignal(daemon, 'SIGTERM')).toBe('gone');
  });
});

describe('sendSignal', () => {
  it('refuses groups and the first process', () => {
    for (const pid of [0, 1, -1, -daemon.pid]) expect(sendSignal({ pid, startTicks: 0 }, 'SIGKILL')).toBe('gone');
  });
});

it('a daemon that cannot be started says so', async () => {
  await expect(startDaemon('/no/such', [], { logFile: '/dev/null' })).rejects.toThrow('no program /no/such');
  await expect(startDaemon('true', [], { logFile: '/no/such/log' })).rejects.toThrow('log file');
});
