import { expect, it } from 'vitest';
import { nextAfter } from '../../timing/cron.ts';
import type { BackupsSpec } from '../backups-spec.ts';
import { provableSince, unproven } from './proof-health.ts';

const weekly: Pick<BackupsSpec, 'proof' | 'timeZone'> = { proof: '30 5 * * 0', timeZone: 'UTC' };
const sinceMs = Date.parse('2026-11-04T02:31:00Z');
const asked = (now: string, provenAt: string | null, backups = weekly, onlyNode: string | null = null) =>
  unproven({
    ...{ backups, nextAfter, sinceMs, onlyNode, nowMs: Date.parse(now) },
    proven: provenAt === null ? null : { at: provenAt, moment: provenAt, tookMs: 1 },
  });
const of = (...args: Parameters<typeof asked>) => asked(...args)?.text ?? null;

it('asks for nothing while it is proven of late, or nothing was asked for', () => {
  expect(of('2026-11-22T12:00:00Z', '2026-11-22T05:31:00Z')).toBeNull();
  // One was missed, which is caught up.
  expect(of('2026-12-05T12:00:00Z', '2026-11-22T05:31:00Z')).toBeNull();
  expect(of('2027-11-22T12:00:00Z', null, { ...weekly, proof: null })).toBeNull();
  expect(unproven({ backups: weekly, nextAfter, sinceMs: null, nowMs: 0, proven: null, onlyNode: null })).toBeNull();
});

it('says that the last one is older than twice its period', () => {
  expect(of('2026-12-06T05:32:00Z', '2026-11-22T05:31:00Z')).toContain('no restore has been proven for 14 d');
  // By hand, out of turn: the next is not to be held against it before twice a period.
  expect(of('2026-12-06T12:00:00Z', '2026-11-28T12:00:00Z')).toBeNull();
  expect(of('2026-12-12T12:01:00Z', '2026-11-28T12:00:00Z')).toContain('14 d');
});

it('says that there never was one, a day after it came round first', () => {
  expect(of('2026-11-08T12:00:00Z', null)).toBeNull();
  expect(of('2026-11-09T05:31:00Z', null)).toContain('no restore has been proven yet, and one was due 24 h ago');
});

it("is a person's to do where there is no standby, and a trouble elsewhere", () => {
  const [never, long] = ['no restore has been proven yet', 'no restore has been proven for 14 d'];
  const alone = 'understudy backup prove --on db1';
  expect(asked('2026-11-09T05:31:00Z', null, weekly, 'db1')).toEqual({
    text: `${never}, and one was due 24 h ago: ${alone}`,
    isTodo: true,
  });
  const provenAt = '2026-11-22T05:31:00Z';
  expect(asked('2026-12-06T05:32:00Z', provenAt, weekly, 'db1')).toEqual({ text: `${long}: ${alone}`, isTodo: true });
  expect(asked('2026-12-06T05:32:00Z', provenAt)).toEqual({ text: `${long}: understudy backup prove`, isTodo: false });
});

it('counts from the end of the first backup that is there', () => {
  const ends = ['2026-11-08T02:31:00Z', '2026-11-04T02:31:00Z'].map((finishedAt) => ({ finishedAt }));
  expect(provableSince(ends)).toBe(Date.parse('2026-11-04T02:31:00Z'));
  expect(provableSince([])).toBeNull();
});
