/** Draws up the receipt of an operation from its record and from what the poolers reported. */

import type { Operation, PhaseTiming, UndoReason } from '../operation.ts';
import type { PoolerReport } from '../pooler-report.ts';
import type { ApplicationReceipt, PoolerReceipt, Receipt } from '../receipt.ts';
import type { NodeName } from '../spec.ts';

export interface ReceiptFacts {
  readonly operation: Operation;
  readonly termAfter: number;
  readonly timelineBefore: number;
  readonly timelineAfter: number;
  readonly timings: readonly PhaseTiming[];
  readonly reports: ReadonlyMap<NodeName, { readonly report: PoolerReport }>;
  readonly undone: { readonly reason: UndoReason; readonly detail: string } | null;
}

export function drawReceipt(facts: ReceiptFacts): Receipt {
  const { operation, undone } = facts;
  const poolers = operation.poolers.flatMap((node): PoolerReceipt[] => {
    const pause = pauseOf(facts, node);
    return pause === null ? [] : [{ node, drainMs: tenths(pause.drainMs), pausedMs: tenths(pause.pausedMs) }];
  });
  const reported = new Set(poolers.map((pooler) => pooler.node));
  return {
    id: operation.id,
    kind: operation.kind,
    outcome: undone === null ? 'finished' : 'undone',
    undoReason: undone?.reason ?? null,
    detail: undone?.detail ?? null,
    from: operation.from,
    to: operation.to,
    termBefore: operation.term,
    termAfter: facts.termAfter,
    timelineBefore: facts.timelineBefore,
    timelineAfter: facts.timelineAfter,
    shutdownLsn: 'shutdownLsn' in operation ? operation.shutdownLsn : null,
    startedAt: operation.startedAt,
    pauseMs: poolers.length === 0 ? null : Math.max(...poolers.map((pooler) => pooler.pausedMs)),
    phases: [...operation.timings, ...facts.timings],
    poolers,
    without: operation.without,
    applications: applicationsOf(facts),
    unreported: operation.poolers.filter((node) => !reported.has(node)),
    undo: undone === null ? `understudy switchover --to ${operation.from}` : null,
    requestedBy: operation.requestedBy,
  };
}

function pauseOf(facts: ReceiptFacts, node: NodeName) {
  const pause = facts.reports.get(node)?.report.lastPause ?? null;
  return pause !== null && pause.operation === facts.operation.id ? pause : null;
}

function applicationsOf(facts: ReceiptFacts): readonly ApplicationReceipt[] {
  const sums = new Map<string, ApplicationReceipt>();
  for (const node of facts.operation.poolers) {
    for (const part of pauseOf(facts, node)?.applications ?? []) {
      const sum = sums.get(part.name) ?? { name: part.name, delayed: 0, worstMs: 0, failed: 0 };
      sums.set(part.name, {
        name: part.name,
        delayed: sum.delayed + part.delayed,
        worstMs: tenths(Math.max(sum.worstMs, part.worstMs)),
        failed: sum.failed + part.failed,
      });
    }
  }
  return [...sums.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function tenths(ms: number): number {
  return Math.round(ms * 10) / 10;
}
