/**
 * Sends reports to database agents: a change of state to all that are heard, at once, since a switchover's driver waits
 * for it and the next driver needs it too; the ordinary ones to the primary's agent alone.
 *
 * Invariant: one report per agent is under way at most, and the latest one follows it; an older one never arrives
 * after a newer one. A change that an agent did not take is sent to it again, a few times; the ordinary ones follow anyway.
 */
import type { PoolerReport } from '../core/pooler-report.ts';
import type { NodeName } from '../core/spec.ts';
import type { Clock } from '../ports/clock.ts';
import type { DatabaseAgent, PoolerReporter } from './app-node-ports.ts';

const withinMs = 2_000;
const againAfterMs = 50;
const attempts = 10;

interface Outbox {
  next: { readonly report: PoolerReport; readonly attempts: number } | null;
  isSending: boolean;
}

export class PoolerReports {
  readonly #reporter: PoolerReporter;
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  readonly #outboxes = new Map<NodeName, Outbox>();

  constructor(reporter: PoolerReporter, clock: Clock, signal: AbortSignal) {
    this.#reporter = reporter;
    this.#clock = clock;
    this.#signal = signal;
  }

  /** `urgent`: sent again when it fails. */
  send(agents: readonly DatabaseAgent[], report: PoolerReport, urgent: boolean): void {
    for (const agent of agents) {
      const outbox = this.#outboxes.get(agent.node) ?? { next: null, isSending: false };
      this.#outboxes.set(agent.node, outbox);
      // An ordinary report carries the state too, but must not take away the repeats of an urgent one.
      const left = urgent ? attempts : Math.max(1, outbox.next?.attempts ?? 1);
      outbox.next = { report, attempts: left };
      if (!outbox.isSending) void this.#drain(agent, outbox);
    }
  }

  /** Never rejects. */
  async #drain(agent: DatabaseAgent, outbox: Outbox): Promise<void> {
    outbox.isSending = true;
    while (outbox.next !== null && !this.#signal.aborted) {
      const { report, attempts: left } = outbox.next;
      outbox.next = null;
      try {
        await this.#reporter.report(agent, report, { withinMs, signal: this.#signal });
      } catch {
        // Its stream tells whether the agent lives; here only the repeat matters.
        if (left <= 1) continue;
        await this.#clock.sleep(againAfterMs, this.#signal).catch(() => {});
        outbox.next ??= { report, attempts: left - 1 };
      }
    }
    outbox.isSending = false;
  }
}
