/**
 * What poolers report to this agent. The holder also keeps the newest of each in the store, so that others can show it;
 * a switchover reads the reports that arrived here, never the store's.
 */
import type { ClusterView, PoolerReport } from '../core/cluster-view.ts';
import type { NodeName } from '../core/spec.ts';
import type { Clock } from '../ports/clock.ts';
import { encodeRecord } from '../records/codecs.ts';
import { poolerKey } from '../records/keys.ts';
import type { StoreMirror } from './store-mirror.ts';

const storeEveryMs = 10_000;
const writeWithinMs = 2_000;

export class ReceivedReports {
  readonly #clock: Clock;
  readonly #reports = new Map<NodeName, { report: PoolerReport; atMs: number }>();
  readonly #stored = new Map<NodeName, { key: string; atMs: number }>();

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

  /** Writes what is new or old enough; one pooler after another, and never while something more urgent is under way. */
  async store(mirror: StoreMirror, signal: AbortSignal): Promise<void> {
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

  forget(known: ReadonlySet<NodeName>): void {
    for (const node of this.#reports.keys()) {
      if (!known.has(node)) this.#reports.delete(node);
    }
  }
}

function materialKey(report: PoolerReport): string {
  const { state, operation, term, primary, specRevision, readOnly, trouble, poolerVersion, lastPause } = report;
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
    blockers,
  ]);
}
