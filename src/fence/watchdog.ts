/**
 * A hardware watchdog: resets the whole host when nobody writes to it in time, so that also a fence that is gone, or
 * that nothing schedules any more, has an end.
 *
 * The interface is Linux's (Documentation/watchdog/watchdog-api.rst): opening the device starts it, each write starts
 * its time anew, and closing it after a `V` stops it ("magic close"), unless the driver was built or loaded not to
 * (nowayout). Its time is the driver's, set where the driver is loaded, since asking for another takes an ioctl.
 *
 * Does not decide when; see `watchdogWish` in warden.ts. A device that can't be used is said to be so and tried again:
 * without it the fence is what it is on hosts that have none.
 */
import { closeSync, constants, openSync, writeSync } from 'node:fs';

/** The shortest time that drivers count is 1 s. */
const petEveryMs = 300;
const tryAgainMs = 10_000;

export type WatchdogState = 'none' | 'resting' | 'armed' | 'failed';

export class Watchdog {
  readonly #device: string | null;
  readonly #report: (what: string) => void;
  #fd: number | null = null;
  #pettedAtMs = 0;
  #failedAtMs: number | null = null;

  constructor(device: string | null, report: (what: string) => void) {
    this.#device = device;
    this.#report = report;
  }

  get state(): WatchdogState {
    if (this.#device === null) return 'none';
    if (this.#failedAtMs !== null) return 'failed';
    return this.#fd === null ? 'resting' : 'armed';
  }

  follow(wish: 'pet' | 'hold' | 'rest', nowMs: number): void {
    if (wish === 'pet') this.#pet(nowMs);
    if (wish === 'rest') this.rest();
  }

  /** Stops one that an earlier fence left running. */
  stop(nowMs: number): void {
    this.#pet(nowMs);
    this.rest();
  }

  rest(): void {
    const fd = this.#fd;
    if (fd === null) return;
    this.#fd = null;
    this.#try('could not be stopped', 0, () => {
      writeSync(fd, 'V');
      closeSync(fd);
    });
  }

  #pet(nowMs: number): void {
    const device = this.#device;
    if (device === null || (this.#fd !== null && nowMs - this.#pettedAtMs < petEveryMs)) return;
    if (this.#failedAtMs !== null && nowMs - this.#failedAtMs < tryAgainMs) return;
    this.#try('can not be used', nowMs, () => {
      this.#fd ??= openSync(device, constants.O_WRONLY);
      writeSync(this.#fd, '.');
      this.#pettedAtMs = nowMs;
      this.#failedAtMs = null;
    });
  }

  #try(what: string, nowMs: number, act: () => void): void {
    try {
      act();
    } catch (error) {
      if (this.#failedAtMs === null) this.#report(`the watchdog ${this.#device} ${what}: ${String(error)}`);
      this.#failedAtMs = nowMs;
    }
  }
}
