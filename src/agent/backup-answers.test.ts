import { expect, it } from 'vitest';
import { MemoryMirror } from '../../test/fixtures/memory-mirror.ts';
import { specOf } from '../../test/fixtures/spec.ts';
import { timerClock } from '../../test/fixtures/timer-clock.ts';
import { held, memberStatus, members, stored } from '../../test/fixtures/view.ts';
import type { BackupWork } from '../core/backup-run.ts';
import { defaultBackups } from '../core/backups-spec.ts';
import { backupAnswers } from './backup-answers.ts';

const backups = { ...defaultBackups, to: { kind: 'directory' as const, path: '/backups' } };
const spec = stored({ revision: 1, spec: specOf(['db1'], { backups }), appliedAt: '', appliedBy: '' });
const pendingRestart = [{ name: 'archive_mode', current: 'off', wanted: 'on' }];
function unused(): never {
  throw new Error('not asked for here');
}

function answers(change: Parameters<typeof memberStatus>[1]) {
  const mirror = new MemoryMirror({ spec, lease: held('db1'), members: members(memberStatus('db1', change)) });
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
    expect(standing().waitsFor).toMatch(/db1 is restarted.*: understudy restart db1$/);
  },
);

it('takes it as soon as it archives, and other work before', async () => {
  expect(await answers({ pendingRestart }).order({ work: 'expire' }, 'kim')).toMatchObject({ work: 'expire' });
  const { order, standing } = answers({});
  expect(standing().waitsFor).toBeNull();
  expect(await order({ work: 'full' }, 'kim')).toMatchObject({ work: 'full', node: 'db1', state: 'ordered' });
});
