/**
 * Simulated machines and the agents' processes on them: clocks that drift, processes that stop, freeze and die.
 *
 * Invariant: whatever reaches a process comes through `deliver`, so a frozen one does nothing until it goes on and a
 * dead one nothing ever again, with its promises left hanging as the kernel leaves them. Disks and servers are
 * elsewhere: they outlive the processes.
 */
import type { Clock } from '../../ports/clock.ts';
import type { VirtualTime } from './virtual-time.ts';

/** Simulated wall clocks begin here. */
const epochMs = Date.UTC(2026, 10, 19, 14, 0, 0);

export class Host {
  readonly name: string;
  readonly time: VirtualTime;
  /** How fast its clocks go: 1 is true time. */
  readonly rate: number;
  readonly processes = new Set<SimulatedProcess>();
  #boots = 1;
  #bootedAtMs = 0;
  #isDown = false;
  #isSuspended = false;
  #suspendedForMs = 0;
  #onResume: (() => void)[] = [];

  constructor(name: string, time: VirtualTime, rate: number) {
    this.name = name;
    this.time = time;
    this.rate = rate;
  }

  get bootId(): string {
    return `${this.name}-boot-${this.#boots}`;
  }

  get isDown(): boolean {
    return this.#isDown;
  }

  /** Neither off nor suspended: something can happen on it. */
  get isAwake(): boolean {
    return !this.#isDown && !this.#isSuspended;
  }

  /** Counts on through a suspend. */
  boottimeMs(): number {
    return (this.time.nowMs - this.#bootedAtMs) * this.rate;
  }

  powerOff(): void {
    this.#isDown = true;
    this.#isSuspended = false;
    this.#onResume = [];
    for (const process of [...this.processes]) process.kill();
  }

  powerOn(): void {
    if (!this.#isDown) return;
    this.#isDown = false;
    this.#boots += 1;
    this.#bootedAtMs = this.time.nowMs;
  }

  suspend(): void {
    if (this.isAwake) this.#isSuspended = true;
  }

  resume(): void {
    if (!this.#isSuspended) return;
    this.#isSuspended = false;
    this.#suspendedForMs = this.time.nowMs;
    const waiting = this.#onResume;
    this.#onResume = [];
    for (const run of waiting) run();
    for (const process of this.processes) process.catchUp();
  }

  /** When it last came back from a suspend; `null`: never. */
  get resumedAtMs(): number | null {
    return this.#suspendedForMs === 0 ? null : this.#suspendedForMs;
  }

  /** Now, or when the host goes on; never when it is switched off before that. */
  whenAwake(run: () => void): void {
    if (this.#isDown) return;
    if (this.#isSuspended) this.#onResume.push(run);
    else run();
  }
}

export class SimulatedProcess {
  readonly host: Host;
  readonly clock: Clock;
  /** Called once, when it dies. */
  onDeath: (() => void) | null = null;
  readonly #ended = new AbortController();
  #state: 'running' | 'frozen' | 'dead' = 'running';
  #waiting: (() => void)[] = [];

  constructor(host: Host) {
    this.host = host;
    this.clock = processClock(this);
    host.processes.add(this);
  }

  /** Fires when it dies. */
  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  get isAlive(): boolean {
    return this.#state !== 'dead';
  }

  get isRunning(): boolean {
    return this.#state === 'running' && this.host.isAwake;
  }

  freeze(): void {
    if (this.#state === 'running') this.#state = 'frozen';
  }

  thaw(): void {
    if (this.#state !== 'frozen') return;
    this.#state = 'running';
    this.catchUp();
  }

  kill(): void {
    if (this.#state === 'dead') return;
    this.#state = 'dead';
    this.#waiting = [];
    this.host.processes.delete(this);
    this.#ended.abort();
    this.onDeath?.();
  }

  deliver(run: () => void): void {
    if (this.#state === 'dead') return;
    if (this.isRunning) run();
    else this.#waiting.push(run);
  }

  catchUp(): void {
    while (this.isRunning) {
      const run = this.#waiting.shift();
      if (run === undefined) return;
      run();
    }
  }

  /** The outcome of something that goes on outside, as this process gets to see it. */
  through<T>(outside: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      outside.then(
        (value) => this.deliver(() => resolve(value)),
        (error: unknown) => this.deliver(() => reject(error)),
      );
    });
  }
}

function processClock(process: SimulatedProcess): Clock {
  const { host } = process;
  return {
    boottimeMs: () => host.boottimeMs(),
    wallClock: () => new Date(epochMs + host.time.nowMs * host.rate),
    // Node's timers know nothing shorter than 1 ms.
    sleep: (ms, signal) => sleep(host.time, Math.max(1, ms) / host.rate, signal, (run) => process.deliver(run)),
  };
}

/** A clock of the world itself, for what belongs to no host. */
export function worldClock(time: VirtualTime): Clock {
  return {
    boottimeMs: () => time.nowMs,
    wallClock: () => new Date(epochMs + time.nowMs),
    sleep: (ms, signal) => sleep(time, Math.max(0.01, ms), signal, (run) => run()),
  };
}

function sleep(
  time: VirtualTime,
  ms: number,
  signal: AbortSignal | undefined,
  deliver: (run: () => void) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(signal.reason);
      return;
    }
    const stop = (): void => {
      timer.cancel();
      reject(signal?.reason);
    };
    const timer = time.after(ms, () =>
      deliver(() => {
        signal?.removeEventListener('abort', stop);
        resolve();
      }),
    );
    signal?.addEventListener('abort', stop, { once: true });
  });
}
