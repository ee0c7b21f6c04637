import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { madeBackup, openRunnerWorld, type RunnerWorld } from '../../test/fixtures/runner-world.ts';
import { deadAfterMs, endAfterMs } from '../core/backup-run.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Repository } from '../ports/repository.ts';

let world: RunnerWorld;
beforeEach(() => {
  world = openRunnerWorld();
});
afterEach(async () => await world.end());

it('begins what is ordered of it, shows that it lives, and says what came of it', async () => {
  world.start();
  world.order();
  await vi.advanceTimersByTimeAsync(7_000);
  expect(world.run()).toMatchObject({ state: 'running', progress: { bytesDone: 5, bytesTotal: 10 } });
  expect(world.run()?.counter).toBeGreaterThanOrEqual(3);
  world.finish();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(world.run()).toMatchObject({ state: 'done', outcome: madeBackup.label });
  expect(world.mirror.image.endedRuns.get('full')?.value).toEqual(world.run());
  expect(world.began).toBe(1);
});

it('says why it failed', async () => {
  world.start();
  world.order();
  await vi.advanceTimersByTimeAsync(1_000);
  world.finish(new UnderstudyError('BACKUP_FAILED', 'no space'));
  await vi.advanceTimersByTimeAsync(1_000);
  expect(world.run()).toMatchObject({ state: 'failed', outcome: expect.stringContaining('no space') });
});

it('leaves what is ordered of others, and what has ended', async () => {
  world.start();
  world.order({ node: 'db2' });
  await vi.advanceTimersByTimeAsync(5_000);
  world.order({ state: 'done' });
  await vi.advanceTimersByTimeAsync(5_000);
  expect(world.began).toBe(0);
});

it('does not go on with what an earlier process of it began', async () => {
  world.start();
  world.order({ state: 'running', counter: 4 });
  await vi.advanceTimersByTimeAsync(1_000);
  expect([world.began, world.run()?.state]).toEqual([0, 'failed']);
});

it('ends the program when the store can not be told for long, earlier than anybody counts it as dead', async () => {
  world.start();
  world.order();
  await vi.advanceTimersByTimeAsync(1_000);
  world.mirror.isAway = true;
  await vi.advanceTimersByTimeAsync(endAfterMs - 5_000);
  expect(world.endedFor).toBeNull();
  await vi.advanceTimersByTimeAsync(deadAfterMs - endAfterMs - 10_000);
  expect(world.endedFor).toContain('could not be told');
  world.mirror.isAway = false;
  await vi.advanceTimersByTimeAsync(10_000);
  expect(world.run()).toMatchObject({ state: 'failed', outcome: expect.stringContaining('could not be told') });
});

it('ends the program when somebody else counts it as dead, and leaves his word', async () => {
  world.start();
  world.order();
  await vi.advanceTimersByTimeAsync(4_000);
  world.order({ id: 'B-0007', state: 'failed', counter: 99, outcome: 'db1 fell silent' });
  await vi.advanceTimersByTimeAsync(4_000);
  expect(world.endedFor).toContain('dead');
  expect(world.run()).toMatchObject({ counter: 99, outcome: 'db1 fell silent' });
});

it('goes on when the store took what it said, and only the answer got lost', async () => {
  world.start();
  world.order();
  world.mirror.losesReplies = true;
  await vi.advanceTimersByTimeAsync(40);
  expect([world.run()?.state, world.began]).toEqual(['running', 0]);
  world.mirror.losesReplies = false;
  await vi.advanceTimersByTimeAsync(1_000);
  expect(world.began).toBe(1);
  world.mirror.losesReplies = true;
  await vi.advanceTimersByTimeAsync(3_000);
  world.mirror.losesReplies = false;
  const lost = world.run()?.counter ?? 0;
  await vi.advanceTimersByTimeAsync(10_000);
  expect([world.run()?.state, world.endedFor]).toEqual(['running', null]);
  expect(world.run()?.counter).toBeGreaterThan(lost + 2);
  world.mirror.losesReplies = true;
  world.finish();
  await vi.advanceTimersByTimeAsync(1_000);
  world.mirror.losesReplies = false;
  await vi.advanceTimersByTimeAsync(10_000);
  expect(world.run()).toMatchObject({ state: 'done', outcome: madeBackup.label });
});

it('says what came of it also when the last proof of life was taken unheard', async () => {
  world.start();
  world.order();
  await vi.advanceTimersByTimeAsync(1_000);
  const before = world.mirror.image;
  world.mirror.losesReplies = true;
  await vi.advanceTimersByTimeAsync(3_000);
  world.mirror.losesReplies = false;
  // As one that has not heard of it yet: the first refusal tells it.
  const newer = world.mirror.image;
  world.mirror.image = before;
  world.finish();
  await vi.advanceTimersByTimeAsync(10);
  world.mirror.image = newer;
  await vi.advanceTimersByTimeAsync(4_000);
  expect(world.run()).toMatchObject({ state: 'done', outcome: madeBackup.label });
});

it('says what keeps it from the repository', async () => {
  world.start(null);
  world.order();
  await vi.advanceTimersByTimeAsync(4_000);
  expect(world.run()?.state).toBe('running');
  await vi.advanceTimersByTimeAsync(3_000);
  expect(world.run()).toMatchObject({ state: 'failed', outcome: expect.stringContaining('no secret yet') });
});

it('begins with a repository that is within reach a moment later', async () => {
  let reached: Repository | null = null;
  world.start(() => reached);
  world.order();
  await vi.advanceTimersByTimeAsync(3_000);
  reached = world.repository();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(world.began).toBe(1);
});

it('sweeps what an earlier process left before it begins anything', async () => {
  world.swept = 0;
  world.start();
  world.order();
  await vi.advanceTimersByTimeAsync(1_000);
  expect([world.swept, world.began]).toEqual([1, 0]);
  await vi.advanceTimersByTimeAsync(6_000);
  expect([world.swept, world.began]).toEqual([2, 1]);
  world.finish();
});
