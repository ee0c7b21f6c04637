import { describe, expect, it } from 'vitest';
import { createLinuxClock, readUptimeMs } from './linux-clock.ts';

/** A host whose boottime and monotonic clock are moved by hand; /proc/uptime shows the former, cut to 10 ms. */
function host(bootMs = 123_456.789) {
  let boot = bootMs;
  let monotonic = 1_000;
  return {
    run: (ms: number) => {
      boot += ms;
      monotonic += ms;
    },
    suspend: (ms: number) => {
      boot += ms;
    },
    boot: () => boot,
    sources: { monotonicMs: () => monotonic, uptimeMs: () => Math.floor(boot / 10) * 10 },
  };
}

describe('the clock', () => {
  it('measures durations exactly while the host is awake, and is never ahead', () => {
    const machine = host();
    const clock = createLinuxClock(machine.sources);
    const start = clock.boottimeMs();
    for (let i = 0; i < 500; i += 1) {
      machine.run(7.3);
      expect(clock.boottimeMs()).toBeLessThanOrEqual(machine.boot());
    }
    expect(clock.boottimeMs() - start).toBeCloseTo(500 * 7.3, 6);
  });

  it('counts a suspend as soon as the offset is measured again', () => {
    const machine = host();
    const clock = createLinuxClock(machine.sources);
    machine.suspend(60_000);
    machine.run(51);
    const lag = machine.boot() - clock.boottimeMs();
    expect(lag).toBeGreaterThanOrEqual(0);
    expect(lag).toBeLessThanOrEqual(20);
  });

  it('is not carried ahead by a stall between its two sources', () => {
    const machine = host();
    const stalls = [0, 500, 0, 900, 0];
    const clock = createLinuxClock({
      monotonicMs: machine.sources.monotonicMs,
      uptimeMs() {
        const uptime = machine.sources.uptimeMs();
        machine.run(stalls.shift() ?? 0);
        return uptime;
      },
    });
    let last = 0;
    for (let i = 0; i < 10; i += 1) {
      machine.run(60);
      const now = clock.boottimeMs();
      expect(now).toBeGreaterThan(last);
      expect(now).toBeLessThanOrEqual(machine.boot());
      last = now;
    }
  });

  it('is the boottime of this host', async () => {
    const clock = createLinuxClock();
    const before = clock.boottimeMs();
    await clock.sleep(1);
    expect(clock.boottimeMs()).toBeGreaterThan(before);
    await expect(clock.sleep(60_000, AbortSignal.abort())).rejects.toThrow();
  });

  it('reads on from one open file', async () => {
    const clock = createLinuxClock();
    const before = readUptimeMs();
    for (let i = 0; i < 100 && readUptimeMs() === before; i += 1) await clock.sleep(10);
    expect(readUptimeMs()).toBeGreaterThan(before);
  });
});
