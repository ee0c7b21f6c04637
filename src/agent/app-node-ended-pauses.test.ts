import { expect, it } from 'vitest';
import type { HeldGate, ShutGate } from '../core/rules/pooler-memory.ts';
import { EndedPauses } from './app-node-ended-pauses.ts';

const shut: ShutGate = { state: 'drained', operation: 'R-0007', term: 5, sinceMs: 1_000, limitMs: 10_000 };
const held: HeldGate = { state: 'held', term: 5, sinceMs: 1_000, limitMs: 10_000 };
const figures = { pausedMs: 250, applications: [{ name: 'shop', delayed: 3, worstMs: 240, failed: 0 }] };

/** At 1.4 s: every pause above has lasted for 400 ms. */
function accounts() {
  const told: object[] = [];
  const pauses = new EndedPauses({
    node: 'web1',
    clock: { boottimeMs: () => 1_400, wallClock: () => new Date(0), sleep: async () => {} },
    emit: (name, facts) => void told.push({ name, ...facts }),
    primary: () => ({ node: 'db2' }),
  });
  return { pauses, told };
}

it('keeps the figures of a pause, and counts from when it began', () => {
  const { pauses, told } = accounts();
  pauses.drained(12);
  pauses.ended(shut, figures, 'writable');
  expect(pauses.last).toEqual({ ...figures, operation: 'R-0007', drainMs: 12, pausedMs: 400 });
  expect(told).toEqual([{ name: 'pooler.resumed', node: 'web1', primary: 'db2', pausedMs: 400, because: 'writable' }]);
});

it('believes a pooler that says that its clients waited longer', () => {
  const { pauses } = accounts();
  pauses.ended(shut, { ...figures, pausedMs: 900 }, 'writable');
  expect(pauses.last).toMatchObject({ pausedMs: 900 });
});

it('tells that one failed which never drained', () => {
  const { pauses, told } = accounts();
  pauses.ended({ ...shut, state: 'draining' }, figures, 'limit passed');
  expect(pauses.last).toMatchObject({ drainMs: 400, pausedMs: 400 });
  expect(told).toMatchObject([{ name: 'pooler.pause_failed', because: 'limit passed' }, { name: 'pooler.resumed' }]);
});

it('tells of a hold, and keeps the figures of the last pause', () => {
  const { pauses, told } = accounts();
  pauses.ended(held, figures, 'writable');
  expect(pauses.last).toBeNull();
  expect(told).toMatchObject([{ name: 'pooler.resumed', pausedMs: 400 }]);
});
