import { describe, expect, it } from 'vitest';
import { HandClock } from '../../test/fixtures/hand-clock.ts';
import { createPace } from './pace.ts';

const { signal } = new AbortController();

describe('a pace', () => {
  it('gives one turn per interval', async () => {
    const clock = new HandClock();
    const pace = createPace(10, clock);
    for (let turn = 0; turn < 5; turn += 1) await pace.turn(signal);
    expect(clock.nowMs).toBe(1_400);
  });

  it('makes nothing up after a standstill', async () => {
    const clock = new HandClock();
    const pace = createPace(10, clock);
    await pace.turn(signal);
    clock.nowMs += 5_000;
    await pace.turn(signal);
    expect(clock.nowMs).toBe(6_000);
    await pace.turn(signal);
    expect(clock.nowMs).toBe(6_100);
  });

  it('without a limit never waits', async () => {
    const clock = new HandClock();
    await createPace(null, clock).turn(signal);
    expect(clock.nowMs).toBe(1_000);
  });
});
