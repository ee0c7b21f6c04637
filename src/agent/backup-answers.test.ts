import { afterEach, expect, it, vi } from 'vitest';
import { MemoryMirror } from '../../test/fixtures/memory-mirror.ts';
import { exampleRecords } from '../../test/fixtures/records.ts';
import { specOf } from '../../test/fixtures/spec.ts';
import { timerClock } from '../../test/fixtures/timer-clock.ts';
import { held, memberStatus, members, stored } from '../../test/fixtures/view.ts';
import { type BackupRun, type BackupWork, stampOf } from '../core/backup-run.ts';
import { defaultBackups } from '../core/backups-spec.ts';
import { encodeRecord } from '../records/codecs.ts';
import { keys } from '../records/keys.ts';
import { backupAnswers } from './backup-answers.ts';

const backups = { ...defaultBackups, to: { kind: 'directory' as const, path: '/backups' } };
const spec = stored({ revision: 1, spec: specOf(['db1'], { backups }), appliedAt: '', appliedBy: '' });
const pendingRestart = [{ name: 'archive_mode', current: 'off', wanted: 'on' }];
const calm = new AbortController().signal;
afterEach(() => void vi.useRealTimers());

function unused(): never {
  throw new Error('not asked for here');
}

function answers(change: Parameters<typeof memberStatus>[1]) {
  return answersOf(new MemoryMirror({ spec, lease: held('db1'), members: members(memberStatus('db1', change)) }));
}

function answersOf(mirror: MemoryMirror) {
  return backupAnswers({
    ...{ self: 'db1', mirror, clock: timerClock, signal: new AbortController().signal, emit: () => undefined },
    ...{ candidates: () => [], trouble: () => null, nextAfter: () => null },
    sealer: { sealable: unused, seal: unused, open: unused },
    passages: { open: unused },
  });
}

it.each<BackupWork>(['full', 'differential'])(
  'refuses a %s one while the primary archives nothing yet',
  async (work) => {
    const { order, standing } = answers({ pendingRestart });
    await expect(order({ work }, 'kim')).rejects.toMatchObject({
      code: 'REFUSED',
      message: expect.stringContaining('before PostgreSQL on db1 is restarted'),
      hint: 'understudy restart db1',
    });
    expect((await standing(null, calm)).waitsFor).toMatch(/db1 is restarted.*: understudy restart db1$/);
  },
);

it('takes it as soon as it archives, and other work before', async () => {
  expect(await answers({ pendingRestart }).order({ work: 'expire' }, 'kim')).toMatchObject({ work: 'expire' });
  const { order, standing } = answers({});
  expect((await standing(null, calm)).waitsFor).toBeNull();
  expect(await order({ work: 'full' }, 'kim')).toMatchObject({ work: 'full', node: 'db1', state: 'ordered' });
});

it('answers who follows a run when there is news of it, or a second later', async () => {
  vi.useFakeTimers();
  const run: BackupRun = { ...exampleRecords['backup-run'], state: 'running', counter: 12 };
  const mirror = new MemoryMirror({ spec });
  const says = (next: BackupRun) => mirror.put([{ key: keys.backupRun, value: encodeRecord('backup-run', next) }]);
  says(run);
  const { standing } = answersOf(mirror);
  const beganAtMs = Date.now();
  const afterMs = async (change: () => void) => {
    const asked = standing(stampOf(run), calm).then((told) => ({ state: told.run?.state, ms: Date.now() - beganAtMs }));
    await vi.advanceTimersByTimeAsync(300);
    change();
    await vi.advanceTimersByTimeAsync(1_000);
    return await asked;
  };
  expect(await afterMs(() => undefined)).toEqual({ state: 'running', ms: 1_000 });
  expect(await standing(`${run.id}:11`, calm)).toMatchObject({ run });
  const { ms, state } = await afterMs(() => says({ ...run, state: 'done', counter: 13 }));
  expect([state, ms]).toEqual(['done', 1_300 + 320]);
});
