/**
 * When the old holder takes a switchover back, and what it writes then.
 *
 * Invariant: undoing is a compare-and-set of the operation, never a read; PostgreSQL starts again only after it succeeded
 * (model D). Which phase may be undone by whom stands in core/operation.ts.
 */
import type { Action } from '../actions.ts';
import type { Stored } from '../cluster-view.ts';
import type { Lease } from '../lease.ts';
import type { Operation, UndoReason } from '../operation.ts';
import { act, currentTerm, memberSilentAfterMs, type Situation, type Verdict } from '../situation.ts';
import type { NodeName } from '../spec.ts';
import { undrained } from './operation-marks.ts';
import { drawReceipt } from './receipt.ts';

export type Held = Stored<Lease & { state: 'held' }>;

export function describeUndrained(situation: Situation, missing: readonly string[]): string {
  const parts = missing.map((node) => {
    const report = situation.view.reports.get(node)?.report;
    if (report === undefined) return `${node} has not reported`;
    const blockers = report.blockers.map(
      (b) => `${b.alias} pid ${b.serverPid} for ${b.client} since ${Math.round(b.ageMs / 100) / 10} s`,
    );
    return blockers.length === 0 ? `${node} is ${report.state}` : `${node} waits for ${blockers.join(', ')}`;
  });
  return parts.join('; ');
}

export function whyUndo(situation: Situation, operation: Operation): { reason: UndoReason; detail: string } | null {
  const { view, memory, nowMs } = situation;
  const marks = memory.operation;
  if (operation.from !== situation.self || operation.term !== currentTerm(situation)) {
    return { reason: 'lease-lost', detail: `it began under ${operation.from} in term ${operation.term}` };
  }
  if (view.requests.driving !== operation.id) {
    return { reason: 'agent-restarted', detail: `the agent of ${operation.from} restarted while it was under way` };
  }
  if (view.requests.cancelOperation === operation.id)
    return { reason: 'cancelled', detail: 'the operator asked for it' };
  if (hasFallenSilent(situation, operation.to)) {
    return { reason: 'target-lost', detail: `the agent of ${operation.to} has fallen silent` };
  }
  const elapsed = marks === null ? 0 : nowMs - marks.phaseSinceMs;
  if (operation.phase === 'stopped') {
    const limit = operation.promoteTimeoutMs + operation.paceMs;
    if (elapsed <= limit) return null;
    return { reason: 'handover-timeout', detail: `${operation.to} did not take over within ${limit} ms` };
  }
  const missing = undrained(view, operation);
  if (missing.length > 0 && elapsed > operation.drainTimeoutMs + operation.paceMs) {
    return { reason: 'drain-timeout', detail: describeUndrained(situation, missing) };
  }
  const stop = view.lastJobs.get('stop');
  if (marks !== null && stop?.outcome === 'failed' && stop.startedAtMs >= marks.phaseSinceMs) {
    return { reason: 'stop-timeout', detail: stop.error ?? 'PostgreSQL did not stop' };
  }
  return null;
}

/** Only of one that this agent has seen alive. */
function hasFallenSilent({ memory, nowMs }: Situation, node: NodeName): boolean {
  const seen = memory.memberSeen.get(node);
  return seen?.moved === true && nowMs - seen.atMs >= memberSilentAfterMs;
}

export function undo(
  situation: Situation,
  stored: Stored<Operation>,
  lease: Held,
  reason: UndoReason,
  detail: string,
): Verdict {
  const receipt = drawReceipt({
    operation: stored.value,
    termAfter: lease.value.term,
    timelineBefore: localTimeline(situation),
    timelineAfter: localTimeline(situation),
    timings: stored.value.phase === 'pausing' ? (situation.memory.operation?.timings ?? []) : [],
    reports: situation.view.reports,
    undone: { reason, detail },
  });
  const action: Action = { do: 'undo-operation', operation: stored, lease, reason, detail, receipt, because: [reason] };
  return act([action], { code: `undo-${reason}`, text: detail }, 0);
}

export function localTimeline(situation: Situation): number {
  const { postgres } = situation.view;
  return 'timeline' in postgres ? postgres.timeline : 0;
}
