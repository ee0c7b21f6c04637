import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { backupOf, lsnIn, segment, segmentBytes } from '../../test/fixtures/backups.ts';
import { exampleRecords } from '../../test/fixtures/records.ts';
import { declared, empty, openRepositoryWorld, type RepositoryWorld } from '../../test/fixtures/repository-world.ts';
import { specOf } from '../../test/fixtures/spec.ts';
import { stored } from '../../test/fixtures/view.ts';
import { deadAfterMs, endAfterMs } from '../core/backup-run.ts';
import { lsnFromOffset } from '../core/lsn.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { encodeRecord } from '../records/codecs.ts';
import { keys } from '../records/keys.ts';

let world: RepositoryWorld;
beforeEach(() => {
  world = openRepositoryWorld();
});
afterEach(async () => await world.end());

const away = () => new UnderstudyError('REPOSITORY_UNREACHABLE', 'nobody answers');

it('makes the repository ready once for a server, and tells what it holds', async () => {
  world.start();
  await vi.advanceTimersByTimeAsync(30_000);
  expect([world.stanzas, world.record()?.contents]).toEqual([1, empty]);
  world.primary = world.server({}, 8);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(world.stanzas).toBe(2);
});

it('does nothing on a node that is not primary', async () => {
  world.primary = null;
  world.start();
  await vi.advanceTimersByTimeAsync(120_000);
  expect([world.stanzas, world.record()]).toEqual([0, undefined]);
});

it('asks for no view, each of which costs one of everything, while no backups are declared', async () => {
  const { spec } = world.mirror.image;
  const undeclared = { revision: 1, spec: specOf(['db1', 'db2']), appliedAt: '', appliedBy: '' };
  world.mirror.image = { ...world.mirror.image, spec: stored(undeclared) };
  world.start();
  await vi.advanceTimersByTimeAsync(60_000);
  expect([world.views, world.stanzas, world.record()]).toEqual([0, 0, undefined]);
  world.mirror.image = { ...world.mirror.image, spec };
  await vi.advanceTimersByTimeAsync(2_000);
  expect([world.views > 0, world.stanzas]).toEqual([true, 1]);
});

it('tries again with more and more time between, and tells it once', async () => {
  world.stanza = () => Promise.reject(away());
  world.start();
  await vi.advanceTimersByTimeAsync(600_000);
  expect(world.stanzas).toBeGreaterThan(8);
  expect(world.stanzas).toBeLessThan(16);
  expect(world.told).toEqual(['repository.unreachable']);
  world.stanza = async () => undefined;
  await vi.advanceTimersByTimeAsync(61_000);
  expect(world.told).toEqual(['repository.unreachable', 'repository.reached']);
});

it('says of the newest commit that is archived when it was made, and of none that is not', async () => {
  world.start();
  await vi.advanceTimersByTimeAsync(10_500);
  expect(world.record()?.safeUntil).toBeNull();
  world.primary = world.server({ archivedTo: lsnFromOffset(250n) });
  await vi.advanceTimersByTimeAsync(2_000);
  expect(world.record()?.safeUntil).toBe('2026-11-22T12:00:05.000Z');
});

it('keeps what it knew while the repository is away', async () => {
  world.start();
  await vi.advanceTimersByTimeAsync(2_000);
  const [backup] = [{ ...exampleRecords.repository.contents }];
  world.contents = { ...backup, state: 'ok', archived: { first: 'A', last: 'B' } };
  await vi.advanceTimersByTimeAsync(61_000);
  world.contents = { ...empty, state: 'unreachable', trouble: 'nobody answers' };
  await vi.advanceTimersByTimeAsync(61_000);
  expect(world.record()?.contents).toMatchObject({ state: 'unreachable', archived: { first: 'A' } });
  expect(world.told).toEqual(['repository.unreachable']);
});

it('ends the run of a node that fell silent, and no other', async () => {
  const run = { ...exampleRecords['backup-run'], state: 'running' as const };
  const put = (counter: number) =>
    world.mirror.put([{ key: keys.backupRun, value: encodeRecord('backup-run', { ...run, counter }) }]);
  world.start();
  for (let counter = 1; counter < 20; counter += 1) {
    put(counter);
    await vi.advanceTimersByTimeAsync(endAfterMs);
  }
  expect(world.mirror.image.backupRun?.value.state).toBe('running');
  await vi.advanceTimersByTimeAsync(deadAfterMs);
  expect(world.mirror.image.backupRun?.value).toMatchObject({ state: 'failed', outcome: 'db1 fell silent' });
  expect(world.mirror.image.endedRuns.get('full')?.value.state).toBe('failed');
});

it('goes on with heartbeats while the repository is slow, and a look takes nothing of them back', async () => {
  world.start();
  await vi.advanceTimersByTimeAsync(10_500);
  let answer: () => void = () => undefined;
  world.look = () =>
    new Promise((resolve) => {
      answer = () => resolve(world.contents);
    });
  await vi.advanceTimersByTimeAsync(90_000);
  world.primary = world.server({ archivedTo: lsnFromOffset(world.insertLsn) });
  await vi.advanceTimersByTimeAsync(3_000);
  const safe = Date.parse(world.record()?.safeUntil ?? '');
  expect(Date.now() - safe).toBeLessThan(10_000);
  world.primary = world.server({
    archivedTo: lsnFromOffset(world.insertLsn),
    failing: { segment: segment(1), at: '' },
    waiting: 3,
  });
  await vi.advanceTimersByTimeAsync(70_000);
  expect(world.told).toEqual(['archive.stalled']);
  answer();
  await vi.advanceTimersByTimeAsync(10);
  expect(Date.parse(world.record()?.safeUntil ?? '')).toBeGreaterThanOrEqual(safe);
  expect(world.record()?.stalled).not.toBeNull();
  expect(Date.now() - Date.parse(world.record()?.lookedAt ?? '')).toBeLessThan(1_000);
});

it('writes nothing of a look whose server is primary no more', async () => {
  world.start();
  await vi.advanceTimersByTimeAsync(3_000);
  const before = world.record();
  world.look = async () => {
    world.primary = null;
    return { ...world.contents, state: 'ok' };
  };
  await vi.advanceTimersByTimeAsync(61_000);
  expect([world.primary, world.record()]).toEqual([null, before]);
});

it('says what WAL is there, and of which commits in it the time is known', async () => {
  world.start();
  await vi.advanceTimersByTimeAsync(6_000);
  world.ranges = [{ first: segment(1), last: segment(4) }];
  world.contents = { ...empty, state: 'ok', backups: [backupOf('A', 'full', '2026-11-22T11:00:00Z')] };
  world.primary = world.server({ archivedTo: lsnFromOffset(lsnIn(5, 0)) });
  await vi.advanceTimersByTimeAsync(61_000);
  expect(world.record()?.archive).toEqual({
    segmentBytes,
    ranges: world.ranges,
    listedAt: world.record()?.lookedAt,
    marks: [{ atMs: Date.parse('2026-11-22T12:01:00.000Z'), timeline: 1, lsn: expect.stringMatching(/^0\//) }],
  });
});

it('keeps what it listed last while listing fails, with its time, and says so once in the log', async () => {
  world.start();
  world.ranges = [{ first: segment(1), last: segment(4) }];
  world.contents = { ...empty, state: 'ok', backups: [backupOf('A', 'full', '2026-11-22T11:00:00Z')] };
  await vi.advanceTimersByTimeAsync(3_000);
  const { archive, lookedAt } = world.record() ?? {};
  expect(archive).toMatchObject({ ranges: world.ranges, listedAt: lookedAt });
  world.list = () => Promise.reject(new UnderstudyError('TIMEOUT', 'listing the WAL takes long'));
  await vi.advanceTimersByTimeAsync(130_000);
  expect(world.record()?.archive).toEqual(archive);
  expect(world.record()?.lookedAt).not.toBe(lookedAt);
  expect(world.warned).toEqual(['the WAL in the repository could not be listed: listing the WAL takes long']);
});

it('tells once that the archiver stands still, at which rate WAL comes in, and that it goes on', async () => {
  world.start();
  await vi.advanceTimersByTimeAsync(6_000);
  const failing = { segment: segment(1), at: '' };
  const beginMs = Date.now();
  for (let second = 0; second <= 200; second += 1) {
    world.primary = { ...world.server({ failing, waiting: 3 }), insertLsn: lsnFromOffset(BigInt(second) * 1_000n) };
    await vi.advanceTimersByTimeAsync(1_000);
    if (second === 55) expect(world.told).toEqual([]);
  }
  expect(world.told).toEqual(['archive.stalled']);
  expect(Date.parse(world.record()?.stalled?.since ?? '') - beginMs).toBeLessThan(2_000);
  expect(world.record()?.stalled?.bytesPerS).toBeGreaterThan(950);
  expect(world.record()?.stalled?.bytesPerS).toBeLessThan(1_050);
  // Another server, which has archived nothing yet.
  world.primary = world.server({}, 8);
  await vi.advanceTimersByTimeAsync(120_000);
  expect(world.record()?.stalled).not.toBeNull();
  world.primary = world.server({ archivedTo: lsnFromOffset(100n) }, 8);
  await vi.advanceTimersByTimeAsync(5_000);
  expect([world.record()?.stalled, world.told]).toEqual([null, ['archive.stalled', 'archive.resumed']]);
});

it('has it stand in the store when this node lacks what it needs, and not at once', async () => {
  world.lacking = 'the secret of the repository has not been given yet';
  world.start();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(world.record()).toBeUndefined();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(world.record()?.contents).toEqual({ ...empty, state: 'unreachable', trouble: world.lacking });
  world.lacking = null;
  await vi.advanceTimersByTimeAsync(3_000);
  expect([world.record()?.contents, world.told]).toEqual([empty, ['repository.unreachable', 'repository.reached']]);
});

it('begins nothing anew where there was something, until another place is declared', async () => {
  world.contents = {
    ...empty,
    state: 'ok',
    backups: [backupOf('A', 'full', '2026-11-22T02:00:00Z', { first: 1, last: 2 })],
  };
  world.start();
  await vi.advanceTimersByTimeAsync(5_000);
  expect(world.record()).toMatchObject({ place: '/backups', contents: { state: 'ok' } });
  world.contents = empty;
  await vi.advanceTimersByTimeAsync(61_000);
  expect(world.told).toEqual(['repository.unreachable']);
  expect(world.record()?.contents).toMatchObject({ state: 'unreachable', backups: [{ label: 'A' }] });
  world.primary = world.server({}, 8);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(world.hadAny).toEqual([false, true]);

  const { spec } = declared({ full: null, differential: null, to: { kind: 'directory', path: '/elsewhere' } });
  world.mirror.image = { ...world.mirror.image, spec };
  await vi.advanceTimersByTimeAsync(61_000);
  expect(world.hadAny.at(-1)).toBe(false);
  expect(world.record()).toMatchObject({ place: '/elsewhere', contents: { state: 'empty', backups: [] } });
});
