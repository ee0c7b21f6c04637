import { describe, expect, it } from 'vitest';
import { endsAtMs, pauseHoldMs, stateOf } from './pooler-gate.ts';
import type { PoolerGateView } from './pooler-memory.ts';

const open: PoolerGateView = { state: 'open' };
const shut = (state: 'draining' | 'drained'): PoolerGateView => ({
  ...{ state, operation: 'R-0001', term: 5 },
  ...{ sinceMs: 100, limitMs: 2_000 },
});
const held: PoolerGateView = { state: 'held', term: 5, sinceMs: 100, limitMs: 2_000 };

describe('a gate', () => {
  it('ends with the limit of its hold, a while after that of a pause, and at once when it is open', () => {
    expect(endsAtMs(held)).toBe(2_100);
    expect(endsAtMs(shut('drained'))).toBe(2_100 + pauseHoldMs);
    expect(endsAtMs(open)).toBeLessThan(0);
  });

  const well = { process: 'running', isHoldInForce: true, isLoaded: true } as const;
  it.each([
    [open, well, 'open'],
    [open, { ...well, isLoaded: false }, 'down'],
    [open, { ...well, process: 'unknown' }, 'unknown'],
    [shut('draining'), { ...well, process: 'unknown' }, 'pausing'],
    [shut('draining'), { ...well, process: 'stopped' }, 'down'],
    [shut('drained'), well, 'paused'],
    [held, well, 'held'],
    [held, { ...well, isHoldInForce: false }, 'pausing'],
  ] as const)('%j with %j is told as %s', (gate, seen, state) => {
    expect(stateOf(gate, seen)).toBe(state);
  });
});
