/**
 * The account of an app node's pauses once they are over: what is told of each, and the figures of the last one, which the
 * receipt of a switchover is made of.
 *
 * Invariant: clients waited since the pause began, whatever its pooler knows of that.
 */
import type { PauseFigures } from '../core/pooler-report.ts';
import type { HeldGate, ShutGate } from '../core/rules/pooler-memory.ts';
import type { Clock } from '../ports/clock.ts';
import type { EmitEvent } from './app-node-ports.ts';

export interface EndedPausesParts {
  readonly node: string;
  readonly clock: Clock;
  readonly emit: EmitEvent;
  /** Where writes go by the last decision. */
  primary(): { readonly node: string | null };
}

export class EndedPauses {
  readonly #parts: EndedPausesParts;
  #drainMs = 0;
  #last: PauseFigures | null = null;

  constructor(parts: EndedPausesParts) {
    this.#parts = parts;
  }

  /** Of the last switchover; `null`: there was none since this agent began. */
  get last(): PauseFigures | null {
    return this.#last;
  }

  /** The pause that is in force has drained its pooler, in ms. */
  drained(drainMs: number): void {
    this.#drainMs = drainMs;
  }

  /** `figures`: as the pooler gave them. A hold is told of only: nobody waits for its figures. */
  ended(gate: ShutGate | HeldGate, figures: Omit<PauseFigures, 'operation' | 'drainMs'>, because: string): void {
    const { clock, emit, node, primary } = this.#parts;
    // Drained or not; and an adopted pooler knows of its adoption only.
    const pausedMs = Math.max(figures.pausedMs, clock.boottimeMs() - gate.sinceMs);
    if (gate.state !== 'held') {
      const { operation, state } = gate;
      const drainMs = state === 'drained' ? this.#drainMs : pausedMs;
      this.#last = { ...figures, pausedMs, operation, drainMs };
      if (state === 'draining') emit('pooler.pause_failed', { node, operation, because });
    }
    emit('pooler.resumed', { node, primary: primary().node, pausedMs: Math.round(pausedMs), because });
  }
}
