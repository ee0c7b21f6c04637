/**
 * A standby's way to the primary for one backup.
 *
 * Invariant: it is of one primary. As soon as that one is primary no more, its agent was started anew, or has not answered for `silenceMs`, the
 * way is cut, with the reason; a connection that only hangs would hold a backup up for half an hour. That a connection has closed says
 * nothing: pgBackRest leaves the primary by itself when it has all of its files.
 */
import type { NodeName } from '../core/spec.ts';
import { isUnderstudyError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';
import type { PrimaryEnd, TwoWay } from '../ports/repository.ts';
import type { StoreMirror } from './store-mirror.ts';

/** What it needs of the primary's agent. */
export interface PrimaryAgent {
  checkpoint(signal: AbortSignal): Promise<void>;
  /** Anything at all. */
  hear(withinMs: number, signal: AbortSignal): Promise<void>;
  dial(version: string, signal: AbortSignal): Promise<PrimaryEnd>;
}

export interface StandbyPassageParts {
  readonly mirror: Pick<StoreMirror, 'image'>;
  readonly clock: Clock;
  readonly agent: PrimaryAgent;
}

const lookEveryMs = 1_000;
const askWithinMs = 4_000;
const silenceMs = 20_000;

export class StandbyPassage {
  readonly #parts: StandbyPassageParts;
  readonly #primary: NodeName;
  readonly #cut = new AbortController();
  readonly #open = new Set<TwoWay>();
  /** The newest event of before. */
  readonly #sequence: number;

  constructor(primary: NodeName, parts: StandbyPassageParts) {
    this.#primary = primary;
    this.#parts = parts;
    this.#sequence = parts.mirror.image.events.at(-1)?.sequence ?? 0;
  }

  /** Fires with the reason, as a text, when it is cut. */
  get signal(): AbortSignal {
    return this.#cut.signal;
  }

  async dial(version: string): Promise<PrimaryEnd> {
    const end = await this.#parts.agent.dial(version, this.#cut.signal);
    const { connection } = end;
    if (this.#cut.signal.aborted) connection.destroy();
    this.#open.add(connection);
    connection.once('close', () => this.#open.delete(connection));
    return end;
  }

  /** Until the signal fires. */
  async watch(signal: AbortSignal): Promise<void> {
    const { agent, clock } = this.#parts;
    let heardAtMs = clock.boottimeMs();
    while (!signal.aborted && !this.#cut.signal.aborted) {
      if (!this.#isPrimary()) this.#end(`${this.#primary} is primary no more`);
      if (this.#isAnother()) this.#end(`the agent of ${this.#primary} was started anew`);
      try {
        await agent.hear(askWithinMs, signal);
        heardAtMs = clock.boottimeMs();
      } catch (error) {
        if (!isUnderstudyError(error)) throw error;
      }
      const silentMs = clock.boottimeMs() - heardAtMs;
      if (silentMs >= silenceMs) this.#end(`the agent of ${this.#primary} has not answered for ${silenceMs / 1_000} s`);
      await clock.sleep(lookEveryMs, signal).catch(() => undefined);
    }
  }

  close(): void {
    for (const connection of this.#open) connection.destroy();
  }

  #isPrimary(): boolean {
    const lease = this.#parts.mirror.image.lease?.value;
    return lease?.state === 'held' && lease.holder === this.#primary;
  }

  /** What it served ended with its former process. */
  #isAnother(): boolean {
    const { events } = this.#parts.mirror.image;
    return events.some(
      ({ name, node, sequence }) => name === 'agent.started' && node === this.#primary && sequence > this.#sequence,
    );
  }

  #end(because: string): void {
    this.#cut.abort(because);
    this.close();
  }
}
