/**
 * The fence itself: a process of its own beside the agent, small, with nothing to wait for.
 *
 * While a deadline stands it looks at the boottime clock at least every `lookEveryMs` (it looks at the clock and not at
 * its timers, which stand still in suspend) and at the deadline kills everything of PostgreSQL, again and again until
 * nothing is left. It asks nobody, survives its agent, and ends only when told to while nothing depends on it.
 *
 * Invariant: `look` comes before every message, and every file that may lie on a slow disk is written in the
 * background. Only starting a server waits for a disk, when no other server runs.
 *
 * Decides nothing: warden.ts does. Only one fence serves a data directory, by the lock on its memory.
 */
import { sendSignal } from '../process/signal.ts';
import { readUptimeMs } from '../timing/linux-clock.ts';
import { Log } from './log.ts';
import { holdsLock, MemoryFile } from './memory-file.ts';
import { lowerOomScore } from './oom-score.ts';
import { Prey } from './prey.ts';
import { type Guarded, perform } from './requests.ts';
import { ListeningSocket } from './socket.ts';
import * as warden from './warden.ts';
import { Watchdog } from './watchdog.ts';
import { type FenceAnswer, type FenceArguments, parseRequest } from './wire.ts';

const lookEveryMs = 50;
/** Looking at all processes costs some ms: with nothing left after a strike, or hanging in a disk, less often. */
const lookAgainMs = 500;
const strikeEveryMs = 5;
const hasteMs = 2_000;
/** How often it makes sure that it can still be found. */
const upkeepEveryMs = 1_000;
const lastWordsWithinMs = 200;

/** Runs until it is told to end. Throws when it does not hold the lock on its memory. */
export async function runFence(args: FenceArguments): Promise<void> {
  if (!holdsLock(args.memory)) throw new Error(`${args.memory} is not locked by this process: start it with flock(1)`);
  const oom = lowerOomScore();
  const log = new Log();
  const memory = new MemoryFile(args.memory);
  const remembered = memory.read();
  const guarded: Guarded = {
    data: args.data,
    warden: warden.begin(remembered, readUptimeMs()),
    prey: new Prey(args.data),
    watchdog: new Watchdog(args.watchdog, (what) => log.say(what)),
    oom,
    log,
    struck: null,
  };
  if (remembered?.watchdogArmed === true && remembered.deadline === null) guarded.watchdog.stop(readUptimeMs());
  guarded.prey.remember();
  memory.keep(guarded.warden, guarded.watchdog.state === 'armed');
  const watch = new Watch(guarded, memory);
  const socket = new ListeningSocket(args.socket, (line) => watch.answer(line));
  await socket.listen();
  log.say(`watches ${args.data}${remembered?.deadline == null ? '' : ', with the deadline of an earlier fence'}`);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => watch.leave(signal));
  // None of these may end it; Node would open a debugger at SIGUSR1.
  for (const signal of ['SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const) process.on(signal, () => undefined);
  process.on('uncaughtException', (error) => log.say(`a defect: ${error.stack ?? error.message}`));
  await watch.untilEnd(socket);
  guarded.watchdog.rest();
  socket.close();
  log.say('ends');
  await log.written(lastWordsWithinMs);
}

/** Looks, answers, and knows when it is over. */
class Watch {
  readonly #guarded: Guarded;
  readonly #memory: MemoryFile;
  #strikingSinceMs = 0;
  #killed = 0;
  #wake: () => void = () => undefined;

  constructor(guarded: Guarded, memory: MemoryFile) {
    this.#guarded = guarded;
    this.#memory = memory;
  }

  async answer(line: string): Promise<string> {
    let answer: FenceAnswer;
    try {
      const request = parseRequest(line);
      this.look();
      answer = await perform(this.#guarded, request, () => this.look());
      if (request.do !== 'status') this.#remember();
      if (!answer.ok) this.#guarded.log.say(`refuses ${request.do}: ${answer.because}`);
    } catch (error) {
      answer = { ok: false, because: error instanceof Error ? error.message : String(error) };
      this.#guarded.log.say(`refuses: ${answer.because}`);
    }
    this.#wake(); // for the next look, which may be nearer now
    return JSON.stringify(answer);
  }

  leave(signal: string): void {
    const { log, prey } = this.#guarded;
    log.say(`${signal}: told to end`);
    this.#guarded.warden = warden.leave(this.#guarded.warden);
    // The server first, in order if it can be: what depends on the fence must not go on without it.
    const postmaster = prey.livingPostmaster();
    if (!warden.mayLeave(this.#guarded.warden, prey.server()) && postmaster !== null) {
      log.say('a server runs under a deadline: it is stopped first');
      sendSignal(postmaster, 'SIGINT');
    }
    this.#wake();
  }

  async untilEnd(socket: ListeningSocket): Promise<void> {
    let upkeepAtMs = 0;
    for (;;) {
      const { log } = this.#guarded;
      try {
        this.look();
        const server = this.#guarded.warden.leaving ? this.#guarded.prey.server() : 'none';
        if (warden.mayLeave(this.#guarded.warden, server)) return;
        const nowMs = readUptimeMs();
        if (nowMs >= upkeepAtMs) {
          upkeepAtMs = nowMs + upkeepEveryMs;
          if (this.#memory.isSuperseded()) this.#stepAside();
          else if (socket.isLost) await socket.relisten();
        }
      } catch (error) {
        log.say(`will look again: ${error instanceof Error ? error.message : String(error)}`);
      }
      await this.#pause();
    }
  }

  /** Strikes when it is time, and feeds the watchdog. */
  look(): void {
    const { prey, watchdog } = this.#guarded;
    const nowMs = readUptimeMs();
    const unattended = this.#guarded.warden.unattendedUntilMs !== null;
    this.#guarded.warden = warden.look(this.#guarded.warden, nowMs, unattended ? prey.server() : 'none');
    if (warden.mustKill(this.#guarded.warden)) this.#strike(nowMs);
    watchdog.follow(warden.watchdogWish(this.#guarded.warden, nowMs), nowMs);
  }

  #strike(nowMs: number): void {
    const { prey, log, warden: current } = this.#guarded;
    const left = prey.strike();
    if (this.#strikingSinceMs === 0) this.#strikingSinceMs = nowMs;
    if (left > 0) {
      if (this.#killed === 0) log.say(`kills PostgreSQL, ${left} processes: ${current.striking}`);
      this.#killed = Math.max(this.#killed, left);
      return;
    }
    const because = current.striking ?? '';
    if (this.#killed > 0) log.say(`PostgreSQL is gone after ${Math.round(readUptimeMs() - this.#strikingSinceMs)} ms`);
    if (this.#killed > 0 || this.#guarded.struck === null) {
      this.#guarded.struck = { because, goneAtMs: readUptimeMs(), killed: this.#killed };
    }
    this.#guarded.warden = warden.swept(current);
    this.#strikingSinceMs = 0;
    this.#killed = 0;
  }

  #remember(): void {
    this.#memory.keep(this.#guarded.warden, this.#guarded.watchdog.state === 'armed');
  }

  /** Its lock is on a file that is no longer there: another may run. It keeps the deadline that it confirmed, and no more. */
  #stepAside(): void {
    if (this.#guarded.warden.leaving) return;
    this.#guarded.log.say('another file stands in the place of its memory: it ends at its deadline');
    this.#guarded.warden = warden.leave(this.#guarded.warden);
  }

  #pause(): Promise<void> {
    const ms = this.#nextLookMs(readUptimeMs());
    return new Promise((resolve) => {
      const timer = ms === null ? null : setTimeout(() => resolve(), ms);
      this.#wake = () => {
        if (timer !== null) clearTimeout(timer);
        resolve();
      };
    });
  }

  #nextLookMs(nowMs: number): number | null {
    const { warden: current, struck } = this.#guarded;
    if (warden.mustKill(current)) return nowMs - this.#strikingSinceMs < hasteMs ? strikeEveryMs : lookAgainMs;
    if (current.leaving) return lookEveryMs;
    if (warden.isIdle(current)) return upkeepEveryMs;
    const { deadline, unattendedUntilMs } = current;
    if (deadline === null) return nowMs < (unattendedUntilMs ?? 0) ? lookEveryMs : lookAgainMs;
    const leftMs = deadline.atMs - nowMs;
    if (leftMs <= 0) return struck === null ? lookEveryMs : lookAgainMs;
    return Math.max(1, Math.min(lookEveryMs, leftMs));
  }
}
