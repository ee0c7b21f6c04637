import { beforeEach, expect, it } from 'vitest';
import { exampleRecords } from '../../test/fixtures/records.ts';
import type { BackupStanding } from '../api/contract/backups.ts';
import type { BackupRun } from '../core/backup-run.ts';
import { exitCodeFor } from '../errors/exit-codes.ts';
import { follow } from './backup-follow.ts';

const ordered: BackupRun = { ...exampleRecords['backup-run'], id: 'B-0007', work: 'full', state: 'ordered' };
const done: BackupRun = { ...ordered, state: 'done', endedAt: '2026-11-22T12:00:00.000Z' };

/** Of each question: what was known already. */
const known: (string | null)[] = [];
beforeEach(() => void known.splice(0));

/** One after the other, as agents tell of it. */
function followed(told: readonly Pick<BackupStanding, 'run' | 'ended'>[]) {
  const left = [...told];
  const ask = (seen: string | undefined) => {
    known.push(seen ?? null);
    return Promise.resolve(left.shift() ?? { run: null, ended: [] });
  };
  const stop = new AbortController();
  const sleep = (): Promise<void> => {
    if (left.length === 0) stop.abort();
    return Promise.resolve();
  };
  const terminal = { live: false, columns: 80, raw: () => undefined, paint: (_: string, text: string) => text };
  return follow({ ask, terminal, sleep, signal: stop.signal }, ordered);
}

it('waits for an agent that knows of it, and says what became of it', async () => {
  const earlier = { ...done, id: 'B-0006' };
  const later = { ...ordered, id: 'B-0008', work: 'verify' as const };
  const told = [
    { run: earlier, ended: [earlier] },
    { run: ordered, ended: [earlier] },
    { run: later, ended: [done] },
  ];
  expect(await followed(told)).toEqual(done);
  // Of another run nobody waits for news.
  expect(known).toEqual([null, null, `B-0007:${ordered.counter}`]);
});

it('ends when a later one of its kind took its place', async () => {
  const later = { ...done, id: 'B-0010' };
  const asked = followed([
    { run: ordered, ended: [] },
    { run: later, ended: [later] },
  ]);
  const error: unknown = await asked.catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'TIMEOUT', message: expect.stringContaining('B-0007 is not known any more') });
  expect(exitCodeFor(error)).toBe(1);
});
