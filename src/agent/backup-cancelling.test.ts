/** Somebody wants the work under way to end: with the runner that does it, on a clock of the test. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { exampleRecords } from '../../test/fixtures/records.ts';
import { openRunnerWorld, type RunnerWorld } from '../../test/fixtures/runner-world.ts';
import { timerClock } from '../../test/fixtures/timer-clock.ts';
import { failuresBeforeNext } from '../core/backup-run.ts';
import { cancelBackup } from './backup-cancelling.ts';

let world: RunnerWorld;
beforeEach(() => {
  world = openRunnerWorld();
});
afterEach(async () => await world.end());

const cancel = (id: string) => {
  const { emitted, mirror } = world;
  const parts = { mirror, clock: timerClock, signal: new AbortController().signal };
  return cancelBackup({ ...parts, emit: (kind) => void emitted.push(kind) }, id, 'kim');
};

it('ends the program, and then the run, which is no failure that anybody is told of', async () => {
  world.start();
  world.order();
  await vi.advanceTimersByTimeAsync(1_000);
  const asked = await cancel('B-0007');
  expect(asked).toMatchObject({ state: 'running', cancelledBy: 'kim' });
  expect(world.endedFor).toBeNull();
  await vi.advanceTimersByTimeAsync(4_000);
  expect(world.endedFor).toContain('cancelled by kim');
  expect(world.run()).toMatchObject({ state: 'failed', cancelledBy: 'kim', outcome: 'cancelled by kim' });
  expect(world.emitted).toEqual(['backup.cancelled']);
  await expect(cancel('B-0007')).rejects.toMatchObject({ code: 'REFUSED' });
});

it('ends at once what no node has taken', async () => {
  world.order();
  expect(await cancel('B-0007')).toMatchObject({ state: 'failed', outcome: 'cancelled by kim' });
  world.start();
  await vi.advanceTimersByTimeAsync(4_000);
  expect(world.began).toBe(0);
  expect(world.emitted).toEqual(['backup.cancelled']);
});

it('leaves what is done as it is, and another run alone', async () => {
  world.start();
  world.order();
  await vi.advanceTimersByTimeAsync(1_000);
  await expect(cancel('B-0006')).rejects.toMatchObject({ code: 'REFUSED' });
  await cancel('B-0007');
  world.finish();
  await vi.advanceTimersByTimeAsync(4_000);
  expect(world.run()).toMatchObject({ state: 'done', cancelledBy: 'kim' });
  expect(world.emitted).toEqual(['backup.done']);
});

it('does not count among the failures before the next one', () => {
  const ended = { ...exampleRecords['backup-run'], state: 'failed' as const, failuresBefore: 2 };
  expect(failuresBeforeNext(ended)).toBe(3);
  expect(failuresBeforeNext({ ...ended, cancelledBy: 'kim' })).toBe(2);
});
