/**
 * Begins a switchover on the holder of the lease: preflight, checkpoints, then the operation's record. From there on the
 * loop carries it through, whatever becomes of the one who asked.
 *
 * Invariant: before the record is written nothing has changed; the record is written only against the lease and the
 * last operation that the preflight saw, and only while somebody waits for the answer: a primary that moves minutes
 * after its operator was told of a failure would move unwatched.
 */
import type { Preflight, SwitchoverAnswer, SwitchoverRequest } from '../api/contract/orders.ts';
import type { ClusterView } from '../core/cluster-view.ts';
import type { DatabaseMemory } from '../core/memory.ts';
import type { Operation, PhaseTiming } from '../core/operation.ts';
import { inspectSwitchover } from '../core/rules/preflight.ts';
import type { NodeName, Spec } from '../core/spec.ts';
import { describeError, UnderstudyError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';
import type { Postgres } from '../ports/postgres.ts';
import { encodeRecord } from '../records/codecs.ts';
import { keys } from '../records/keys.ts';
import type { StoreMirror } from './store-mirror.ts';

export interface SwitchoverParts {
  readonly clock: Clock;
  readonly postgres: Pick<Postgres, 'checkpoint' | 'openTransactions'>;
  readonly mirror: Pick<StoreMirror, 'image' | 'transact'>;
  readonly latest: () => { readonly view: ClusterView; readonly memory: DatabaseMemory } | null;
  readonly spec: () => Spec;
  /** Asks the target's agent for a restartpoint. */
  readonly checkpointOn: (node: NodeName, signal: AbortSignal) => Promise<void>;
  /** Told before the record is written, so that the loop knows the operation as its own. */
  readonly claim: (operation: string | null) => void;
  /** Fires when nobody waits for the answer any more. Looked at for the last time just before the record is written. */
  readonly signal: AbortSignal;
  /** Fires when this agent ends. */
  readonly ended: AbortSignal;
}

/** In ms, like all of these. */
export const checkpointWithinMs = 110_000;
const sessionsWithinMs = 2_000;
const recordWithinMs = 2_000;
/** A second, short checkpoint when the first took long: what was written meanwhile would lengthen the stop. */
const longCheckpointMs = 1_000;

export async function startSwitchover(
  parts: SwitchoverParts,
  request: SwitchoverRequest,
  by: string,
): Promise<SwitchoverAnswer> {
  const begun = parts.clock.boottimeMs();
  const preflight = await inspectPatiently(parts, request);
  const preflightMs = parts.clock.boottimeMs() - begun;
  if (preflight.blockers.length > 0) return { outcome: 'refused', preflight };
  if (request.dryRun) return { outcome: 'checked', preflight };
  const { to } = preflight;
  if (to === null) throw new UnderstudyError('BROKEN_INVARIANT', 'a preflight without blockers named no target');
  const prepared = await checkpointsWhileFit(parts, { ...request, to });
  if ('blocked' in prepared) return { outcome: 'refused', preflight: prepared.blocked };
  const timings: PhaseTiming[] = [
    { phase: 'preflight', ms: Math.round(preflightMs * 10) / 10 },
    { phase: 'checkpoint', ms: Math.round(prepared.checkpointMs * 10) / 10 },
  ];
  return await record(parts, request, { ...preflight, to }, timings, by);
}

/** A cluster that has just moved has these for a moment; they are worth a short wait before it is refused. */
const passing = new Set(['target-not-streaming', 'target-timeline', 'busy', 'lease-not-renewed']);
const passWithinMs = 3_000;
const lookEveryMs = 100;

/** The longest that `startSwitchover` takes: the limit of the route must be longer, and a unit test holds it to that. */
export const preparationWithinMs = passWithinMs + sessionsWithinMs + 2 * checkpointWithinMs + recordWithinMs;

async function inspectPatiently(parts: SwitchoverParts, request: SwitchoverRequest): Promise<Preflight> {
  const until = parts.clock.boottimeMs() + passWithinMs;
  for (;;) {
    const preflight = await inspect(parts, request);
    const isPassing =
      preflight.blockers.length > 0 && preflight.blockers.every(({ blockedBy }) => passing.has(blockedBy));
    if (!isPassing || parts.clock.boottimeMs() >= until) return preflight;
    await parts.clock.sleep(lookEveryMs, parts.signal);
  }
}

async function inspect(parts: SwitchoverParts, request: SwitchoverRequest): Promise<Preflight> {
  const latest = parts.latest();
  if (latest === null) throw new UnderstudyError('REFUSED', 'this agent has not made its first decision yet');
  const running = latest.view.postgres.state === 'primary';
  try {
    const sessions = running
      ? await parts.postgres.openTransactions({ withinMs: sessionsWithinMs, signal: parts.signal })
      : [];
    return inspectSwitchover(latest.view, latest.memory, sessions, request);
  } catch (error) {
    // A switchover that is under way stops PostgreSQL just so: that is what is told, and not how it looks from here.
    const now = parts.latest() ?? latest;
    const verdict = inspectSwitchover(now.view, now.memory, [], request);
    if (verdict.blockers.some(({ blockedBy }) => blockedBy === 'operation-active')) return verdict;
    throw error;
  }
}

/** Checkpoints take long on a busy server, and whom they are for may be lost meanwhile: nobody waits for those then. */
async function checkpointsWhileFit(
  parts: SwitchoverParts,
  request: SwitchoverRequest & { readonly to: NodeName },
): Promise<{ readonly checkpointMs: number } | { readonly blocked: Preflight }> {
  const over = new AbortController();
  const signal = AbortSignal.any([parts.signal, over.signal]);
  try {
    return await Promise.race([
      checkpoints(parts, request.to, signal).then((checkpointMs) => ({ checkpointMs })),
      untilBlocked(parts, request, signal).then((blocked) => ({ blocked })),
    ]);
  } finally {
    over.abort();
  }
}

/** Something has stood in the way for longer than what passes by itself. */
async function untilBlocked(
  { clock, latest }: SwitchoverParts,
  request: SwitchoverRequest,
  signal: AbortSignal,
): Promise<Preflight> {
  let freeAtMs = clock.boottimeMs();
  for (;;) {
    await clock.sleep(lookEveryMs, signal).catch(() => signal.throwIfAborted());
    const now = latest();
    if (now === null) continue;
    const verdict = inspectSwitchover(now.view, now.memory, [], request);
    if (verdict.blockers.length === 0) freeAtMs = clock.boottimeMs();
    if (clock.boottimeMs() - freeAtMs >= passWithinMs) return verdict;
  }
}

async function checkpoints(parts: SwitchoverParts, target: NodeName, signal: AbortSignal): Promise<number> {
  const begun = parts.clock.boottimeMs();
  const own = parts.postgres.checkpoint({ withinMs: checkpointWithinMs, signal });
  const [mine] = await Promise.allSettled([own, parts.checkpointOn(target, signal)]);
  signal.throwIfAborted();
  if (mine.status === 'rejected') {
    throw new UnderstudyError(
      'POSTGRES_FAILED',
      `the checkpoint before the switchover failed: ${describeError(mine.reason)}`,
    );
  }
  if (parts.clock.boottimeMs() - begun > longCheckpointMs) {
    await parts.postgres.checkpoint({ withinMs: checkpointWithinMs, signal });
  }
  return parts.clock.boottimeMs() - begun;
}

async function record(
  parts: SwitchoverParts,
  request: SwitchoverRequest,
  preflight: Preflight & { readonly to: NodeName },
  timings: readonly PhaseTiming[],
  by: string,
): Promise<SwitchoverAnswer> {
  const { image } = parts.mirror;
  const { lease, operation: last } = image;
  const limits = parts.spec().switchover;
  if (lease === null) throw new UnderstudyError('REFUSED', 'there is no lease');
  const operation: Operation = {
    id: nextId(last?.value.id ?? null),
    kind: 'switchover',
    from: preflight.from,
    to: preflight.to,
    term: lease.value.term,
    poolers: preflight.poolers,
    without: request.without,
    forceAfterMs: request.forceAfterMs,
    paceMs: request.paceMs,
    drainTimeoutMs: Math.max(limits.drainTimeoutMs, (request.forceAfterMs ?? 0) + 2_000),
    stopTimeoutMs: limits.stopTimeoutMs,
    promoteTimeoutMs: limits.promoteTimeoutMs,
    startedAt: parts.clock.wallClock().toISOString(),
    requestedBy: by,
    phase: 'pausing',
    timings,
  };
  parts.signal.throwIfAborted();
  parts.claim(operation.id);
  const result = await parts.mirror.transact(
    [
      { key: keys.operation, revision: last?.revision ?? 'absent' },
      { key: keys.lease, revision: lease.revision },
      { key: keys.handsOff, revision: 'absent' },
    ],
    [{ key: keys.operation, value: encodeRecord('operation', operation) }],
    // Once sent it can't be taken back: giving up here would leave nobody who knows what became of it.
    { withinMs: recordWithinMs, signal: parts.ended },
  );
  if (!result.committed) {
    parts.claim(null);
    throw new UnderstudyError('CONFLICT', 'another switchover or a change of the lease came first');
  }
  return { outcome: 'started', preflight, operation: operation.id };
}

/** R-0001, R-0002 …; the compare-and-set on the last operation makes it unique. */
export function nextId(last: string | null): string {
  const number = Number(last?.replace(/^R-/, '') ?? 0);
  return `R-${String((Number.isSafeInteger(number) ? number : 0) + 1).padStart(4, '0')}`;
}
