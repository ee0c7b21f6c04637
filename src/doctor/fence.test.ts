import { describe, expect, it } from 'vitest';
import type { FenceStatus } from '../ports/fence.ts';
import { checkFence, checkWatchdog } from './fence.ts';

const status: FenceStatus = {
  process: { pid: 7, startTicks: 1 },
  highestTerm: 3,
  deadline: null,
  striking: null,
  struck: null,
  server: 'standby',
  watchdog: 'none',
  oomScore: -1_000,
};

describe('the fence', () => {
  it('is well when it answers and nothing can kill it for memory, or when there is none yet', () => {
    expect(checkFence(status, true).verdict).toBe('ok');
    expect(checkFence({ ...status, watchdog: 'armed' }, true).text).toContain('armed');
    expect(checkFence(null, true).verdict).toBe('ok');
  });

  it('is worth a word when the kernel may kill it, and fails with its watchdog', () => {
    expect(checkFence({ ...status, oomScore: 0 }, true)).toMatchObject({ verdict: 'warning' });
    expect(checkFence({ ...status, oomScore: 0 }, false).verdict).toBe('ok');
    expect(checkFence({ ...status, oomScore: 0, watchdog: 'failed' }, true)).toMatchObject({ verdict: 'failure' });
  });
});

it('a watchdog that is not there is a failure, with what to do', () => {
  const found = checkWatchdog('/no/such/watchdog');
  expect(found.verdict).toBe('failure');
  expect(found.hint).toContain('udev');
  expect(checkWatchdog('/dev/null').verdict).toBe('ok');
});
