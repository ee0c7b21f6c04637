/**
 * What poolers report to this agent. The holder also keeps the newest of each in the store, so that others can show it;
 * a switchover reads the reports that arrived here, never the store's.
 */
import type { ClusterView } from '../core/cluster-view.ts';
import type { PoolerReport } from '../core/pooler-report.ts';
import type { NodeName } from '../core/spec.ts';
import type { Clock } from '../ports/clock.ts';
import { encodeRecord } from '../records/codecs.ts';
import { poolerKey } from '../records/keys.ts';
import type { StoreMirror } from './store-mirror.ts';

/** How often it is looked for what to store, and how old a report in the store may become. */
const lookEveryMs = 1_000;
const storeEveryMs = 10_000;
const writeWithinMs = 2_000;

export class ReceivedReports {
  readonly #clock: Clock;
  readonly #reports = new Map<NodeName, { report: PoolerReport; atMs: number }>();
  readonly #stored = new Map<NodeName, { key: string; atMs: number }>();
  #lookedAtMs = 0;
  #storing: Promise<void> | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get all(): ClusterView['reports'] {
    return new Map(this.#reports);
  }

  /** Answers whether the report says anything new but its counter. */
  accept(report: PoolerReport): boolean {
    const before = this.#reports.get(report.node);
    this.#reports.set(report.node, { report, atMs: this.#clock.boottimeMs() });
    return before === undefined || materialKey(before.report) !== materialKey(report);
  }

  /** What `storeWhenDue` began and has not ended; never rejects. */
  get storing(): Promise<void> | null {
    return this.#storing;
  }

  /** The holder's part, and never while something more urgent is under way. Nothing waits for it. */
  storeWhenDue(mirror: StoreMirror, signal: AbortSignal): void {
    const now = this.#clock.boottimeMs();
    if (this.#storing !== null || now - this.#lookedAtMs < lookEveryMs) return;
    this.#lookedAtMs = now;
    this.#storing = this.#store(mirror, signal)
      .catch(() => undefined) // the next second brings newer ones
      .finally(() => {
        this.#storing = null;
      });
  }

  /** Writes what is new or old enough, one pooler after another. */
  async #store(mirror: StoreMirror, signal: AbortSignal): Promise<void> {
    for (const [node, { report }] of this.#reports) {
      const key = materialKey(report);
      const last = this.#stored.get(node);
      const now = this.#clock.boottimeMs();
      if (last !== undefined && last.key === key && now - last.atMs < storeEveryMs) continue;
      const revision = mirror.image.poolers.get(node)?.revision ?? 'absent';
      const conditions = [{ key: poolerKey(node), revision }] as const;
      const writes = [{ key: poolerKey(node), value: encodeRecord('pooler', report) }];
      const result = await mirror.transact(conditions, writes, { withinMs: writeWithinMs, signal });
      if (result.committed) this.#stored.set(node, { key, atMs: now });
    }
  }
}

function materialKey(report: PoolerReport): string {
  const { state, operation, term, primary, specRevision, readOnly, trouble, poolerVersion, lastPause, trust } = report;
  const blockers = report.blockers.map((blocker) => blocker.serverPid);
  return JSON.stringify([
    state,
    operation,
    term,
    primary,
    specRevision,
    readOnly,
    trouble,
    poolerVersion,
    lastPause?.operation,
    trust,
    blockers,
  ]);
}
