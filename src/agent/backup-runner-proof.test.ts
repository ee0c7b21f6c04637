import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { exampleRecords } from '../../test/fixtures/records.ts';
import { openRunnerWorld, type RunnerWorld } from '../../test/fixtures/runner-world.ts';
import { specOf } from '../../test/fixtures/spec.ts';
import { stored } from '../../test/fixtures/view.ts';
import type { RepositoryRecord } from '../core/backup-run.ts';
import { encodeRecord } from '../records/codecs.ts';
import { keys, timelineKey } from '../records/keys.ts';

let world: RunnerWorld;
beforeEach(() => {
  world = openRunnerWorld();
});
afterEach(async () => await world.end());

const part = { wanted: null, step: null, result: null, provenBefore: null };
const archive = { segmentBytes: 4 * 1024 * 1024, ranges: [], marks: [] };
const known: RepositoryRecord = { ...exampleRecords.repository, archive };

/** The store knows what can be recovered to. */
function knows(): void {
  world.mirror.put([
    { key: keys.repository, value: encodeRecord('repository', known) },
    { key: timelineKey(1), value: encodeRecord('timeline', { term: 1, timeline: 1, parent: null, forkLsn: '0/0' }) },
  ]);
}

it('shows the steps of a proof, and keeps what came of it', async () => {
  knows();
  world.start();
  world.order({ work: 'proof', proof: { ...part, wanted: '2026-11-21T00:00:00.000Z' } });
  await vi.advanceTimersByTimeAsync(8_000);
  expect(world.run()?.proof).toMatchObject({ step: 'restore', result: null });
  await vi.advanceTimersByTimeAsync(10_000);
  expect(world.run()?.proof?.step).toBe('amcheck');
  await vi.advanceTimersByTimeAsync(10_000);
  expect(world.run()).toMatchObject({ state: 'done', proof: { step: null, result: { label: 'A', findings: [] } } });
  expect(world.mirror.image.endedRuns.get('proof')?.value).toEqual(world.run());
  expect(world.wished).toMatchObject([{ wanted: '2026-11-21T00:00:00.000Z', segmentBytes: archive.segmentBytes }]);
  expect(world.emitted).toEqual(['proof.done']);
});

it('fails a proof that found something, and keeps what it found', async () => {
  knows();
  world.findings = ['an index lacks rows'];
  world.start();
  world.order({ work: 'proof', proof: part });
  await vi.advanceTimersByTimeAsync(32_000);
  expect(world.run()).toMatchObject({
    state: 'failed',
    outcome: 'an index lacks rows',
    proof: { result: { findings: world.findings } },
  });
  expect(world.emitted).toEqual(['proof.failed']);
});

it('ends a proof when its node is to serve writes, which says nothing of the backups', async () => {
  knows();
  world.findings = ['a server that was killed answers nothing'];
  const spec = specOf(['db1', 'db2']);
  world.mirror.image = { ...world.mirror.image, spec: stored({ revision: 1, spec, appliedAt: '', appliedBy: '' }) };
  world.start();
  world.order({ work: 'proof', proof: part });
  await vi.advanceTimersByTimeAsync(8_000);
  expect(world.proving?.aborted).toBe(false);
  const held = { state: 'held' as const, term: 4, holder: 'db1', ttlMs: 6_000 };
  world.mirror.put([{ key: keys.lease, value: encodeRecord('lease', held) }]);
  await vi.advanceTimersByTimeAsync(1_500);
  expect(world.proving?.aborted).toBe(true);
  await vi.advanceTimersByTimeAsync(20_000);
  const outcome = expect.stringContaining('could not be tried: db1 serves writes');
  expect(world.run()).toMatchObject({ state: 'failed', outcome, proof: { result: null } });
  world.proving = null;
  world.order({ work: 'proof', proof: part, id: 'B-0099' });
  await vi.advanceTimersByTimeAsync(2_000);
  expect([world.proving, world.run()?.state]).toEqual([null, 'failed']);
});

it('proves on the only node there is, although it serves writes', async () => {
  knows();
  const spec = specOf(['db1']);
  world.mirror.image = { ...world.mirror.image, spec: stored({ revision: 1, spec, appliedAt: '', appliedBy: '' }) };
  const held = { state: 'held' as const, term: 4, holder: 'db1', ttlMs: 6_000 };
  world.mirror.put([{ key: keys.lease, value: encodeRecord('lease', held) }]);
  world.start();
  world.order({ work: 'proof', proof: part });
  await vi.advanceTimersByTimeAsync(30_000);
  expect(world.run()).toMatchObject({ state: 'done' });
});

it('proves nothing while it is not known what there is', async () => {
  world.start();
  world.order({ work: 'proof', proof: part });
  await vi.advanceTimersByTimeAsync(12_000);
  expect(world.run()).toMatchObject({
    state: 'failed',
    outcome: expect.stringContaining('not known yet'),
    proof: part,
  });
});
