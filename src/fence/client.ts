/**
 * The agent's end of the fence: starts one where none answers, asks it, and tells when it is lost.
 *
 * Invariants: what was not confirmed within its time did not happen as far as the agent knows, so a renewal without a
 * fence never counts. A fence that is lost is replaced at once, and the new one is given the deadline that the old one
 * had confirmed and that was not dropped since: nothing is granted anew by that. One that is there but does not answer
 * `patience` times in a row is killed, so that another can take its place.
 */
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';
import type { FencedProcess, WatchedFence } from '../ports/fence.ts';
import { isAlive } from '../process/identity.ts';
import { type Answer, type FenceConnection, openConnection } from './connection.ts';
import { type FenceProgram, killFence, lockedExit, startFenceProgram } from './program.ts';
import { type FenceRequest, protocol } from './wire.ts';

export type { FenceProgram } from './program.ts';

const answerWithinMs = 500;
/** A start waits for the disk that the program lies on. */
const actWithinMs = 3_000;
const startWithinMs = 3_000;
const pollMs = 5;
const patience = 3;

type Granted = Extract<Answer, { ok: true }>;

export function createFence(options: FenceProgram, clock: Clock): WatchedFence {
  return new FenceClient(options, clock);
}

class FenceClient implements WatchedFence {
  readonly #options: FenceProgram;
  readonly #clock: Clock;
  readonly #listeners = new Set<(because: string) => void>();
  #open: FenceConnection | null = null;
  #reaching: Promise<FenceConnection> | null = null;
  #closed = false;
  /** Confirmed by a fence, and not dropped since. */
  #confirmed: { readonly term: number; readonly deadlineMs: number } | null = null;
  /** Grows with every drop, so that a confirmation that was on its way meanwhile is not taken for a later one. */
  #drops = 0;
  #unanswered = 0;

  constructor(options: FenceProgram, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
  }

  async extend(term: number, deadlineMs: number): Promise<void> {
    const drops = this.#drops;
    await this.#ask({ do: 'extend', term, deadlineMs });
    if (drops === this.#drops) this.#confirmed = { term, deadlineMs };
  }

  async drop(): Promise<void> {
    this.#forget();
    await this.#ask({ do: 'drop' });
  }

  async startPrimary(start: Parameters<WatchedFence['startPrimary']>[0]): Promise<FencedProcess> {
    return await this.#start('primary', start);
  }

  async startStandby(start: Parameters<WatchedFence['startStandby']>[0]): Promise<FencedProcess> {
    this.#forget();
    return await this.#start('standby', start);
  }

  async promote(postmaster: FencedProcess): Promise<void> {
    await this.#ask({ do: 'promote', untilMs: this.#clock.boottimeMs() + actWithinMs, postmaster });
  }

  async status(): ReturnType<WatchedFence['status']> {
    const { status } = await this.#ask({ do: 'status' });
    if (status === undefined) throw new UnderstudyError('FENCE_UNREACHABLE', 'the fence said nothing about itself');
    return status;
  }

  async peek(): ReturnType<WatchedFence['peek']> {
    if (this.#open?.isOpen !== true) return null;
    return await this.status().catch(() => null);
  }

  onLost(listener: (because: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    this.#closed = true;
    const because = 'this agent let go of its fence';
    this.#open?.end(because);
    this.#reaching?.then(
      (one) => one.end(because),
      () => undefined,
    );
  }

  /** Before a drop is asked for: a fence that is lost meanwhile must not get the deadline again. */
  #forget(): void {
    this.#confirmed = null;
    this.#drops += 1;
  }

  async #start(as: 'primary' | 'standby', start: Parameters<WatchedFence['startPrimary']>[0]): Promise<FencedProcess> {
    const untilMs = this.#clock.boottimeMs() + actWithinMs;
    const { process: started } = await this.#ask({ do: 'start', as, untilMs, start });
    if (started === undefined) throw new UnderstudyError('FENCE_UNREACHABLE', 'the fence named no process');
    return started;
  }

  async #ask(request: FenceRequest): Promise<Granted> {
    const answer = await this.#answer(await this.#connection(), request);
    if (!answer.ok) throw new UnderstudyError('REFUSED', `the fence refuses: ${answer.because}`);
    return answer;
  }

  async #answer(connection: FenceConnection, request: FenceRequest): Promise<Answer> {
    const acts = request.do === 'start' || request.do === 'promote';
    try {
      // What the fence does until `untilMs` is still heard of.
      const answer = await connection.ask(request, acts ? actWithinMs + answerWithinMs : answerWithinMs);
      this.#unanswered = 0;
      return answer;
    } catch (error) {
      this.#unanswered += 1;
      if (this.#unanswered >= patience) {
        this.#unanswered = 0;
        killFence(this.#options);
      }
      throw error;
    }
  }

  /** One at a time, however many ask. */
  #connection(): Promise<FenceConnection> {
    if (this.#closed) return Promise.reject(new UnderstudyError('FENCE_UNREACHABLE', 'this agent let go of its fence'));
    if (this.#open?.isOpen === true) return Promise.resolve(this.#open);
    this.#reaching ??= this.#attach().finally(() => {
      this.#reaching = null;
    });
    return this.#reaching;
  }

  async #attach(): Promise<FenceConnection> {
    const found = await this.#reach();
    await this.#rearm(found);
    this.#open = found;
    return found;
  }

  async #reach(): Promise<FenceConnection> {
    const found = await this.#find();
    if (found !== null) return found;
    const untilMs = this.#clock.boottimeMs() + startWithinMs;
    let ended = false;
    const program = await startFenceProgram(this.#options);
    program.exited.then(
      ({ code }) => {
        // Another program of an agent has it, and is about to listen.
        ended = code !== lockedExit;
      },
      () => undefined,
    );
    for (;;) {
      const started = await this.#find();
      if (started !== null) return started;
      if (ended) throw new UnderstudyError('FENCE_UNREACHABLE', 'the fence ended at once');
      if (this.#clock.boottimeMs() >= untilMs) throw new UnderstudyError('FENCE_UNREACHABLE', 'no fence listens');
      await this.#clock.sleep(pollMs);
    }
  }

  /** One that speaks our version; another is ended. */
  async #find(): Promise<FenceConnection | null> {
    const found = await this.#connect();
    if (found === null) return null;
    const speaks = await this.#speech(found);
    if (speaks === 'ours') return found;
    found.end('it is of another version');
    if (speaks === 'other') await this.#endOthers(this.#clock.boottimeMs() + startWithinMs);
    return null;
  }

  /** Until they are gone: a socket is served up to the last moment, and the lock is held. */
  async #endOthers(untilMs: number): Promise<void> {
    const others = killFence(this.#options);
    while (others.some(isAlive) && this.#clock.boottimeMs() < untilMs) await this.#clock.sleep(pollMs);
  }

  #connect(): Promise<FenceConnection | null> {
    return openConnection(this.#options.socket, (because, connection) => {
      // One that was not attached yet is told by the failure of what was asked of it.
      if (connection === this.#open) this.#lost(because);
    });
  }

  async #speech(connection: FenceConnection): Promise<'ours' | 'other' | 'nothing'> {
    try {
      const answer = await this.#answer(connection, { do: 'status' });
      return answer.ok && answer.status?.protocol === protocol ? 'ours' : 'other';
    } catch (error) {
      // One that is being killed is connected to up to its last moment.
      if (connection.isHungUp) return 'nothing';
      throw error;
    }
  }

  #lost(because: string): void {
    if (this.#closed) return;
    for (const listener of this.#listeners) listener(because);
    this.#connection().catch(() => undefined); // whoever asks next tries again, and hears why it fails
  }

  /** Gives a fence that is new to this agent what the last one had confirmed; one that refuses it says so to the next. */
  async #rearm(connection: FenceConnection): Promise<void> {
    const confirmed = this.#confirmed;
    if (confirmed !== null) await this.#answer(connection, { do: 'extend', ...confirmed });
  }
}
