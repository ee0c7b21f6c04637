/**
 * The job that clones this node: its base comes from the repository of backups where that is asked for or quicker, else from the
 * primary.
 *
 * Invariant: whatever fails about the repository costs time and nothing else: the primary is copied then, and it is told. Each way
 * begins with a look whether the primary still is one, made after this node's own server has ended.
 */
import type { Action } from '../core/actions.ts';
import type { ClusterView } from '../core/cluster-view.ts';
import { inOneLine } from '../core/one-line.ts';
import { timelinesOf } from '../core/situation.ts';
import { slotName } from '../core/spec.ts';
import { describeError } from '../errors/understudy-error.ts';
import type { CloneBase } from '../ports/clone-bases.ts';
import type { CloneProgress } from '../ports/postgres.ts';
import { requireHolder } from './execute-rejoin.ts';
import type { ExecutionContext } from './execution-context.ts';
import type { JobWork } from './jobs.ts';

type CloneAction = Extract<Action, { do: 'clone' }>;
type Report = (progress: CloneProgress) => void;

const cloneWithinMs = 24 * 3_600_000;
const chooseWithinMs = 120_000;

export function cloneWork(context: ExecutionContext, action: CloneAction, view: ClusterView): JobWork {
  return async (signal, report) => {
    const { postgres } = context;
    const base = await chooseBase(context, action, view, signal);
    await context.fence.drop();
    if (view.postgres.state === 'standby') {
      await postgres.stop({ patienceMs: 10_000, awaitStandby: null }, { signal, withinMs: 30_000 });
    }
    try {
      const isFilled = base !== null && (await fromBackups(context, action, base, report, signal));
      if (!isFilled) await fromPrimary(context, action, report, signal);
      context.achieved({ kind: 'kept-again' });
      context.requestServed('reinit');
      const from = base !== null && isFilled ? `backup ${base.label}` : action.from;
      context.emit('postgres.cloned', { node: context.self, from });
    } catch (error) {
      context.emit('postgres.clone_failed', { node: context.self, because: describeError(error) });
      throw error;
    }
  };
}

/** While the server still runs: nothing of this needs its end. `null`: the primary is copied. */
async function chooseBase(
  context: ExecutionContext,
  { from }: CloneAction,
  view: ClusterView,
  signal: AbortSignal,
): Promise<CloneBase | null> {
  const asked = view.requests.reinitFrom ?? null;
  const bases = context.bases();
  if (bases === null) return null;
  const timeline = timelinesOf(view.store).get(view.store.lease?.value.term ?? 0)?.timeline ?? null;
  const chosen = await bases.choose({ asked, timeline }, { signal, withinMs: chooseWithinMs });
  if ('base' in chosen) return chosen.base;
  if (asked === 'backups') tellFallback(context, from, chosen.because);
  else context.log.info({ because: chosen.because }, 'the base of the clone is a copy of the primary');
  return null;
}

function tellFallback(context: ExecutionContext, from: string, because: string): void {
  context.emit('postgres.base_failed', { node: context.self, from, because: inOneLine(because) });
}

/** Answers whether the directory is there; what failed is told. */
async function fromBackups(
  context: ExecutionContext,
  action: CloneAction,
  base: CloneBase,
  report: Report,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    await cloneOnce(context, action, report, signal, base);
    return true;
  } catch (error) {
    if (signal.aborted) throw error;
    tellFallback(context, action.from, describeError(error));
    return false;
  }
}

async function fromPrimary(
  context: ExecutionContext,
  action: CloneAction,
  report: Report,
  signal: AbortSignal,
): Promise<void> {
  const beganMs = context.clock.boottimeMs();
  let bytes = 0;
  const measured: Report = (progress) => {
    bytes = progress.bytesTotal ?? progress.bytesDone;
    report(progress);
  };
  await cloneOnce(context, action, measured, signal);
  if (bytes > 0) context.bases()?.copied({ bytes, ms: context.clock.boottimeMs() - beganMs });
}

async function cloneOnce(
  context: ExecutionContext,
  { diverged, from, systemIdentifier }: CloneAction,
  report: Report,
  signal: AbortSignal,
  base?: CloneBase,
): Promise<void> {
  const { postgres, self } = context;
  await requireHolder(context, from, signal);
  await postgres.configure(context.configuration(context.spec()), { signal, withinMs: 10_000 });
  const slot = slotName(self);
  const expected = { systemIdentifier, slot, diverged, ...(base === undefined ? {} : { base }) };
  await postgres.clone(context.upstream(from), expected, report, { signal, withinMs: cloneWithinMs });
}
