/**
 * The jobs by which a node comes back that has diverged: what it has alone is kept and listed, then it is rewound.
 *
 * Invariant: whatever fails is told to the next decision, which then clones and keeps the whole directory; nothing here
 * removes or replaces anything by itself.
 */
import type { Action } from '../core/actions.ts';
import type { ClusterView } from '../core/cluster-view.ts';
import { rowsOf } from '../core/lost-report.ts';
import { type NodeName, slotName } from '../core/spec.ts';
import { describeError, UnderstudyError } from '../errors/understudy-error.ts';
import type { Rescued } from '../ports/postgres.ts';
import { keys } from '../records/keys.ts';
import type { ExecutionContext } from './execution-context.ts';
import type { JobWork } from './jobs.ts';

const lookWithinMs = 2_000;
/** Reading gigabytes of WAL, and a crash recovery, take their time. */
const rescueWithinMs = 3_600_000;
const rewindWithinMs = 6 * 3_600_000;

export function rescueWork(
  context: ExecutionContext,
  action: Extract<Action, { do: 'rescue' }>,
  view: ClusterView,
): JobWork {
  return async (signal) => {
    const { key, stretches, term } = action;
    const { postgres } = context;
    // No process of this directory must be ended at the deadline of a lease that this node no longer has.
    await context.fence.drop();
    if (view.postgres.state === 'standby') {
      await postgres.stop({ patienceMs: 10_000, awaitStandby: null }, { signal, withinMs: 30_000 });
    }
    try {
      const rescued = await postgres.rescue(
        { stretches, term, limits: context.keptWal },
        { signal, withinMs: rescueWithinMs },
      );
      tell(context, rescued);
      context.achieved({ kind: 'examined', key, found: rescued.found });
    } catch (error) {
      if (!signal.aborted) {
        const because = describeError(error);
        context.emit('divergence.not_kept', { node: context.self, because });
        const found = { diverged: true, notKept: because, walBytes: 0, dataBytes: 0 };
        context.achieved({ kind: 'examined', key, found });
      }
      throw error;
    }
  };
}

function tell(context: ExecutionContext, { report, isNew, removed }: Rescued): void {
  const node = context.self;
  for (const { id, bytes, because, isYoung } of removed) {
    const words = { old: 'it was old enough', limit: `the limit was reached${isYoung ? ', at less than a week' : ''}` };
    context.emit('divergence.removed', { node, divergence: id, bytes, because: words[because] });
  }
  if (report === null || !isNew) return;
  const { transactions, forkLsn, timeline, keptBytes, notWhole } = report;
  const facts = { node, lsn: forkLsn, timeline, bytes: keptBytes };
  if (transactions === 0) context.emit('divergence.harmless', facts);
  else context.emit('divergence.rescued', { ...facts, transactions, rows: rowsOf(report.tables) });
  if (notWhole !== null) context.emit('divergence.not_kept', { node, because: notWhole });
}

/**
 * A linearizable look, made while this node's own server is stopped: a copy of anybody but the holder could lack what this
 * node had acknowledged to the holder (model). Throws CONFLICT.
 */
export async function requireHolder(context: ExecutionContext, node: NodeName, signal: AbortSignal): Promise<void> {
  const { lease } = context.mirror.image;
  const isHolder = lease?.value.state === 'held' && lease.value.holder === node;
  const conditions = [{ key: keys.lease, revision: lease?.revision ?? ('absent' as const) }];
  const looked = isHolder ? await context.mirror.transact(conditions, [], { withinMs: lookWithinMs, signal }) : null;
  if (looked?.committed !== true) throw new UnderstudyError('CONFLICT', `${node} does not hold the lease any more`);
}

export function rewindWork(context: ExecutionContext, action: Extract<Action, { do: 'rewind' }>): JobWork {
  return async (signal, report) => {
    const { postgres } = context;
    const { from, key, systemIdentifier } = action;
    await context.fence.drop();
    try {
      // Up to version 15 the source shows its new timeline only after a checkpoint.
      await context.checkpointOn(from, signal);
      await requireHolder(context, from, signal);
      await postgres.configure(context.configuration(context.spec()), { signal, withinMs: 10_000 });
      const expected = { systemIdentifier, slot: slotName(context.self) };
      await postgres.rewind(context.upstream(from), expected, report, { signal, withinMs: rewindWithinMs });
    } catch (error) {
      const because = describeError(error);
      context.achieved({ kind: 'rewind-failed', key, because });
      context.emit('postgres.rewind_failed', { node: context.self, because });
      throw error;
    }
    context.emit('postgres.rewound', { node: context.self, from });
  };
}
