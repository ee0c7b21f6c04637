/**
 * What this agent saw of the operation under way, on its own clock: since when a phase stands, when the poolers were
 * drained, how long its own parts took. Purely a record; the switchover rules read it.
 */
import type { ClusterView } from '../cluster-view.ts';
import type { DatabaseMemory, OperationMarks } from '../memory.ts';
import type { Operation, PhaseTiming } from '../operation.ts';
import type { NodeName } from '../spec.ts';

export function observeOperation(view: ClusterView, memory: DatabaseMemory): OperationMarks | null {
  const operation = view.store.operation?.value;
  if (operation === undefined) return null;
  const before = memory.operation;
  const sameOperation = before !== null && before.id === operation.id;
  const samePhase = sameOperation && before.phase === operation.phase;
  const marks: OperationMarks = {
    id: operation.id,
    phase: operation.phase,
    phaseSinceMs: samePhase ? before.phaseSinceMs : view.nowMs,
    drainedAtMs: sameOperation ? before.drainedAtMs : null,
    writableAtMs: sameOperation ? before.writableAtMs : null,
    resumedAtMs: sameOperation ? before.resumedAtMs : null,
    timings: sameOperation ? before.timings : [],
  };
  return measure(view, operation, marks, before !== null && sameOperation ? before : null);
}

function measure(
  view: ClusterView,
  operation: Operation,
  marks: OperationMarks,
  before: OperationMarks | null,
): OperationMarks {
  if (
    operation.phase === 'pausing' &&
    operation.from === view.self &&
    marks.drainedAtMs === null &&
    undrained(view, operation).length === 0
  ) {
    return withTiming({ ...marks, drainedAtMs: view.nowMs }, { phase: 'pause', ms: view.nowMs - marks.phaseSinceMs });
  }
  if (operation.phase === 'handed-over' && operation.to === view.self) {
    const tookOver = before?.phase === 'stopped';
    const taken = tookOver ? withTiming(marks, { phase: 'handover', ms: view.nowMs - before.phaseSinceMs }) : marks;
    return measureNewPrimary(view, operation, taken);
  }
  return marks;
}

function measureNewPrimary(view: ClusterView, operation: Operation, marks: OperationMarks): OperationMarks {
  if (view.postgres.state !== 'primary') return marks;
  const { nowMs } = view;
  if (marks.writableAtMs === null) {
    return withTiming({ ...marks, writableAtMs: nowMs }, { phase: 'promote', ms: nowMs - marks.phaseSinceMs });
  }
  if (marks.resumedAtMs !== null || unresumed(view, operation, operation.term + 1).length > 0) return marks;
  return withTiming({ ...marks, resumedAtMs: nowMs }, { phase: 'resume', ms: nowMs - marks.writableAtMs });
}

function withTiming(marks: OperationMarks, timing: PhaseTiming): OperationMarks {
  return { ...marks, timings: [...marks.timings, { phase: timing.phase, ms: Math.round(timing.ms * 10) / 10 }] };
}

/** Poolers of the operation that have not confirmed that they are paused and drained. */
export function undrained(view: ClusterView, operation: Operation): readonly NodeName[] {
  return operation.poolers.filter((node) => {
    const report = view.reports.get(node)?.report;
    return report === undefined || report.operation !== operation.id || report.state !== 'paused';
  });
}

/** Poolers of the operation that have not yet reported that they serve the new primary. */
export function unresumed(view: ClusterView, operation: Operation, term: number): readonly NodeName[] {
  return operation.poolers.filter((node) => {
    const report = view.reports.get(node)?.report;
    return (
      report === undefined ||
      report.term < term ||
      report.state !== 'open' ||
      report.lastPause?.operation !== operation.id
    );
  });
}
