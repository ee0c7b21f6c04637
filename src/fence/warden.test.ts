import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as warden from './warden.ts';

const { attentionMs, begin } = warden;

const time = fc.integer({ min: 0, max: 10_000 });
const term = fc.integer({ min: 1, max: 3 });
const message = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('extend' as const), term, inMs: fc.integer({ min: -500, max: 6_000 }) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('drop' as const) }) },
  // Small steps, and jumps as after a suspend.
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.oneof(fc.integer({ min: 0, max: 100 }), time) }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('start' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('start-standby' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('promote' as const) }) },
  // Behind the fence's back, as an operator or a package's script may.
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('rogue' as const),
      as: fc.constantFrom('primary' as const, 'standby' as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('stop' as const) }) },
  // Some processes take several rounds to die.
  { weight: 2, arbitrary: fc.record({ do: fc.constant('die' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('leave' as const) }) },
);
type Message = typeof message extends fc.Arbitrary<infer T> ? T : never;

const memory = fc.option(
  fc.record({ highestTerm: fc.constant(3), deadline: fc.option(fc.record({ term, atMs: time })) }),
);

/** The fence with a server that it guards, and beside it, by hand, what was confirmed: the oracle. */
class World {
  nowMs = 0;
  server: warden.ServerSeen = 'none';
  fence: warden.Warden;
  highest: number;
  /** What this fence confirmed itself. */
  confirmed: { term: number; atMs: number } | null = null;
  /** What kills: confirmed, or left by an earlier fence. */
  until: { term: number; atMs: number } | null;
  spoken: boolean;
  left = false;

  constructor(remembered: warden.WardenMemory | null) {
    this.fence = begin(remembered, 0);
    this.highest = remembered?.highestTerm ?? 0;
    this.until = remembered?.deadline ?? null;
    this.spoken = remembered !== null;
  }

  /** As process.ts does it before every message. */
  look(): void {
    this.fence = warden.look(this.fence, this.nowMs, this.server);
    if (warden.mustKill(this.fence) && this.server === 'none') this.fence = warden.swept(this.fence);
  }

  step(one: Message): void {
    if (one.do === 'wait') this.nowMs += one.ms;
    if (one.do === 'stop' || (one.do === 'die' && warden.mustKill(this.fence))) this.server = 'none';
    this.look();
    switch (one.do) {
      case 'extend':
        this.extend(one.term, this.nowMs + one.inMs);
        return;
      case 'drop':
        this.drop();
        return;
      case 'start':
        if (this.server === 'none' && this.mayWrite()) this.server = 'primary';
        return;
      case 'promote':
        if (this.server === 'standby' && this.mayWrite()) this.server = 'primary';
        return;
      case 'start-standby':
        this.startStandby();
        return;
      case 'rogue':
        if (this.server === 'none') this.server = one.as;
        return;
      case 'leave':
        this.fence = warden.leave(this.fence);
        this.left = true;
        return;
      default:
    }
  }

  private extend(asked: number, atMs: number): void {
    const answer = warden.extend(this.fence, asked, atMs, this.nowMs);
    expect(answer.ok).toBe(!this.left && asked >= this.highest && atMs > this.nowMs);
    this.fence = answer.warden;
    if (!answer.ok) return;
    const same = this.until?.term === asked ? this.until.atMs : 0;
    this.until = { term: asked, atMs: Math.max(atMs, same) };
    this.confirmed = this.until;
    this.highest = asked;
    this.spoken = true;
  }

  private drop(): void {
    const answer = warden.drop(this.fence, this.server);
    if (this.server === 'primary') expect(answer.ok).toBe(false);
    this.fence = answer.warden;
    if (!answer.ok) return;
    this.until = null;
    this.confirmed = null;
    this.spoken = true;
  }

  private startStandby(): void {
    if (this.server !== 'none') return;
    const answer = warden.mayStandBy(this.fence, this.server);
    this.fence = answer.warden;
    if (!answer.ok) return;
    this.server = 'standby';
    this.until = null;
    this.confirmed = null;
    this.spoken = true;
  }

  private mayWrite(): boolean {
    return warden.mayWrite(this.fence, this.nowMs).ok;
  }

  check(): void {
    const allowed = this.mayWrite();
    // Safety: nothing becomes writable but under a deadline that this fence confirmed and that lies ahead.
    if (allowed) {
      expect(this.confirmed).not.toBeNull();
      expect(this.nowMs).toBeLessThan(this.confirmed?.atMs ?? 0);
      expect(warden.mustKill(this.fence)).toBe(false);
    }
    this.look();
    // Whatever runs past the deadline is killed, whoever started it.
    const past = this.until !== null && this.nowMs >= this.until.atMs;
    if (past && this.server !== 'none') expect(warden.mustKill(this.fence)).toBe(true);
    if (!this.spoken && this.server === 'primary' && this.nowMs >= attentionMs) {
      expect(warden.mustKill(this.fence)).toBe(true);
    }
    // It never leaves a primary behind under a deadline.
    if (warden.mayLeave(this.fence, this.server) && this.until !== null) expect(this.server).not.toBe('primary');
  }
}

describe('the fence, whatever is asked of it and however the clock jumps', () => {
  it('lets nothing through without a confirmed deadline ahead, and kills from the deadline on', () => {
    fc.assert(
      fc.property(memory, fc.array(message, { maxLength: 40 }), (remembered, messages) => {
        const world = new World(remembered);
        for (const one of messages) {
          world.step(one);
          world.check();
        }
      }),
      { numRuns: 5_000 },
    );
  });

  it('does not kill what has a deadline ahead', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 900 }), { maxLength: 20 }), (pauses) => {
        let fence = begin(null, 0);
        let nowMs = 0;
        for (const pause of pauses) {
          const extended = warden.extend(fence, 1, nowMs + 1_000, nowMs);
          expect(extended.ok).toBe(true);
          nowMs += pause;
          fence = warden.look(extended.warden, nowMs, 'primary');
          expect(warden.mustKill(fence)).toBe(false);
          expect(warden.mayWrite(fence, nowMs).ok).toBe(true);
        }
      }),
    );
  });
});

describe('the fence', () => {
  const armed = (atMs: number) => warden.extend(begin(null, 0), 7, atMs, 0).warden;

  it('goes on killing what it began to kill, also when a deadline is given meanwhile', () => {
    const struck = warden.look(armed(1_000), 1_000, 'primary');
    const again = warden.extend(struck, 7, 9_000, 1_001);
    expect(again.ok).toBe(true);
    expect(warden.mustKill(again.warden)).toBe(true);
    expect(warden.mayWrite(again.warden, 1_002)).toMatchObject({ ok: false });
    expect(warden.mayWrite(warden.swept(again.warden), 1_003)).toMatchObject({ ok: true });
  });

  it('permits nothing on a deadline that an earlier fence left, until it is confirmed', () => {
    const fence = begin({ highestTerm: 7, deadline: { term: 7, atMs: 5_000 } }, 1_000);
    expect(warden.mayWrite(fence, 1_001)).toMatchObject({ ok: false });
    expect(warden.mustKill(warden.look(fence, 5_000, 'primary'))).toBe(true);
    // Never backwards: the earlier fence had confirmed more.
    const confirmed = warden.extend(fence, 7, 4_000, 1_002).warden;
    expect(confirmed.deadline).toEqual({ term: 7, atMs: 5_000, confirmed: true });
    expect(warden.mayWrite(confirmed, 1_003)).toMatchObject({ ok: true });
  });

  it('is not given a deadline away under a running primary, nor under what one left', () => {
    expect(warden.drop(armed(1_000), 'primary')).toMatchObject({ ok: false });
    expect(warden.drop(armed(1_000), 'remnants')).toMatchObject({ ok: false });
    const dropped = warden.drop(armed(1_000), 'standby');
    expect(dropped).toMatchObject({ ok: true, warden: { deadline: null, highestTerm: 7 } });
    expect(warden.mustKill(warden.look(dropped.warden, 2_000, 'standby'))).toBe(false);
    expect(warden.extend(dropped.warden, 6, 9_000, 2_000)).toMatchObject({ ok: false });
  });

  it('leaves a primary alone for which nobody spoke, for so long and no longer; never kills such a standby', () => {
    const fence = begin(null, 1_000);
    expect(warden.mustKill(warden.look(fence, 1_000 + attentionMs - 1, 'primary'))).toBe(false);
    expect(warden.mustKill(warden.look(fence, 1_000 + attentionMs, 'primary'))).toBe(true);
    expect(warden.mustKill(warden.look(fence, 1_000 + attentionMs, 'standby'))).toBe(false);
    // One that dropped its deadline is known about.
    const known = begin({ highestTerm: 7, deadline: null }, 1_000);
    expect(warden.mustKill(warden.look(known, 60_000, 'primary'))).toBe(false);
  });

  it('lets the watchdog run out when killing does not succeed, and stops it when nothing depends on it', () => {
    const fence = armed(1_000);
    expect(warden.watchdogWish(fence, 999)).toBe('pet');
    const striking = warden.look(fence, 1_000, 'primary');
    expect(warden.watchdogWish(striking, 1_000)).toBe('hold');
    expect(warden.watchdogWish(warden.swept(striking), 1_001)).toBe('rest');
    expect(warden.watchdogWish(begin(null, 0), 0)).toBe('rest');
  });
});
