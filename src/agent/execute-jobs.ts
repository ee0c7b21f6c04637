/**
 * The actions that take long: each runs as the one job beside the loop, with its own deadline, and its outcome is part
 * of the next view.
 */
import type { Action } from '../core/actions.ts';
import { applicationRoles } from '../core/application-roles.ts';
import type { ClusterView, JobKind } from '../core/cluster-view.ts';
import { unreachable } from '../core/exhausted-union.ts';
import type { WalRequest } from '../core/last-words.ts';
import type { Lsn } from '../core/lsn.ts';
import { cutFor } from '../core/promise.ts';
import { openGenerations } from '../core/rules/credential-chore.ts';
import { slotName } from '../core/spec.ts';
import { describeError, UnderstudyError } from '../errors/understudy-error.ts';
import { cloneWork } from './execute-clone.ts';
import { credentialsWork } from './execute-credentials.ts';
import { rescueWork, rewindWork } from './execute-rejoin.ts';
import type { ExecutionContext } from './execution-context.ts';
import type { JobWork } from './jobs.ts';
import type { Performed } from './loop.ts';

type JobAction = Extract<
  Action,
  {
    do:
      | 'cut'
      | 'hear-last-words'
      | 'discard-kept'
      | 'initialise'
      | 'clone'
      | 'rescue'
      | 'rewind'
      | 'start'
      | 'restart-standby'
      | 'restart-primary'
      | 'stop'
      | 'promote'
      | 'apply-databases'
      | 'apply-credentials';
  }
>;

const startWithinMs = 600_000; // crash recovery may be long; the job can be cancelled
const lastWordsWithinMs = 5_000; // longer than this, and an election is better than what they hold
const walPieceWithinMs = 1_000;
const lookWithinMs = 2_000;
const cutWithinMs = 60_000; // a restart with its recovery may be part of it
const discardWithinMs = 3_600_000;
const databasesWithinMs = 60_000;
/** How often direct clients' open transactions are looked at while the stop waits for them, in ms. */
const drainPollMs = 10;

export function startJob(context: ExecutionContext, action: JobAction, view: ClusterView): Performed {
  const { kind, work } = jobOf(context, action, view);
  const started = context.jobs.start(kind, work);
  if (!started) context.log.info({ action: action.do }, 'another job is still under way');
  return { outcomes: [], goOn: started, lookAgain: false };
}

function jobOf(context: ExecutionContext, action: JobAction, view: ClusterView): { kind: JobKind; work: JobWork } {
  switch (action.do) {
    case 'cut':
      return { kind: 'cut', work: (signal) => cut(context, action.term, signal) };
    case 'hear-last-words':
      return { kind: 'hear', work: (signal) => hearLastWords(context, action, signal) };
    case 'discard-kept':
      return { kind: 'discard', work: (signal) => discardKept(context, signal) };
    case 'initialise':
      return { kind: 'initialise', work: (signal) => initialise(context, signal) };
    case 'clone':
      return { kind: 'clone', work: cloneWork(context, action, view) };
    case 'rescue':
      return { kind: 'rescue', work: rescueWork(context, action, view) };
    case 'rewind':
      return { kind: 'rewind', work: rewindWork(context, action) };
    case 'start':
      return { kind: 'start', work: (signal) => start(context, action, signal) };
    case 'restart-standby':
      return { kind: 'restart', work: (signal) => restart(context, action.from, signal) };
    case 'restart-primary':
      return { kind: 'stop', work: (signal) => stopToRestart(context, action, signal) };
    case 'stop':
      return { kind: 'stop', work: (signal) => stop(context, action, signal) };
    case 'promote':
      return { kind: 'promote', work: (signal) => promote(context, action, signal, view) };
    case 'apply-databases':
      return { kind: 'databases', work: (signal) => applyDatabases(context, action, signal, view) };
    case 'apply-credentials':
      return { kind: 'credentials', work: credentialsWork(context, action, view) };
    default:
      return unreachable(action);
  }
}

/** The record first: what is cut off stays so, whatever becomes of this process. */
async function cut(context: ExecutionContext, term: number, signal: AbortSignal): Promise<void> {
  await bindCut(context, term);
  await context.postgres.cutOff({ signal, withinMs: cutWithinMs });
  const seen = await context.postgres.observe(lookWithinMs);
  if (seen.state !== 'standby')
    throw new UnderstudyError('POSTGRES_FAILED', `the server is ${seen.state} after its cut`);
  context.emit('failover.cut_off', { node: context.self, term });
  context.achieved({ kind: 'cut-off', term, pid: seen.pid });
}

async function bindCut(context: ExecutionContext, term: number): Promise<void> {
  const bound = await context.bind((record, now) => cutFor(record, term, now));
  if (bound === null) throw new UnderstudyError('REFUSED', 'a promise, or a cut for a higher term, forbids this cut');
}

/** What does not come in time is not waited for: the ballot says how far this node is then. */
async function hearLastWords(
  context: ExecutionContext,
  { from, term }: Extract<JobAction, { do: 'hear-last-words' }>,
  signal: AbortSignal,
): Promise<void> {
  const { postgres, self } = context;
  try {
    const ask = (request: WalRequest) => context.askWal(from, request, walPieceWithinMs);
    const bytes = await postgres.hearWal(ask, { signal, withinMs: lastWordsWithinMs });
    if (bytes > 0) context.emit('failover.last_words', { node: self, from, bytes });
  } catch (error) {
    context.log.warn({ from, because: describeError(error) }, 'the last words were not heard');
  }
  context.achieved({ kind: 'last-words-heard', term });
}

/** A job, since an old data directory takes its time to go. */
async function discardKept(context: ExecutionContext, signal: AbortSignal): Promise<void> {
  await context.postgres.discardKept({ signal, withinMs: discardWithinMs });
  context.achieved({ kind: 'kept-discarded' });
}

async function initialise(context: ExecutionContext, signal: AbortSignal): Promise<void> {
  const options = { signal, withinMs: startWithinMs };
  await context.postgres.configure(context.configuration(context.spec()), options);
  await context.postgres.initialise(options);
  context.emit('postgres.initialised', { node: context.self });
}

async function start(
  context: ExecutionContext,
  action: Extract<JobAction, { do: 'start' }>,
  signal: AbortSignal,
): Promise<void> {
  const options = { signal, withinMs: startWithinMs };
  if (action.as === 'standby' && action.cut !== undefined) await bindCut(context, action.cut);
  await context.postgres.configure(context.configuration(context.spec()), options);
  if (action.as === 'primary') {
    await context.postgres.start({ role: 'primary' }, options);
  } else {
    // A standby must not be killed at the deadline of a lease that this node no longer has.
    await context.fence.drop();
    const upstream = action.from === null ? null : context.upstream(action.from);
    await context.postgres.start({ role: 'standby', upstream, slot: slotName(context.self) }, options);
  }
  context.emit('postgres.started', { node: context.self, role: action.as });
}

async function restart(context: ExecutionContext, from: string, signal: AbortSignal): Promise<void> {
  await context.postgres.stop({ patienceMs: 10_000, awaitStandby: null }, { signal, withinMs: 30_000 });
  context.requestServed('restart');
  await start(context, { do: 'start', as: 'standby', from, because: [] }, signal);
}

/** What starts it again is the loop, by the right to be primary that it has then. */
async function stopToRestart(
  context: ExecutionContext,
  { because }: Extract<JobAction, { do: 'restart-primary' }>,
  signal: AbortSignal,
): Promise<void> {
  // Also when it fails: nobody who asked once is surprised by a stop later.
  context.requestServed('restartPrimary');
  await context.postgres.stop({ patienceMs: 10_000, awaitStandby: null }, { signal, withinMs: 30_000 });
  context.emit('postgres.stopped', { node: context.self, because: because.join(', ') });
}

async function stop(
  context: ExecutionContext,
  action: Extract<JobAction, { do: 'stop' }>,
  signal: AbortSignal,
): Promise<void> {
  if (action.drain !== null) await awaitDirectClients(context, action.drain, signal);
  const how = { patienceMs: action.patienceMs, awaitStandby: action.awaitStandby };
  await context.postgres.stop(how, { signal, withinMs: action.patienceMs + 10_000 });
  context.emit('postgres.stopped', { node: context.self, because: action.because.join(', ') });
}

/** Direct clients are not behind a paused pooler: their open transactions are let finish, or ended when asked. */
async function awaitDirectClients(
  context: ExecutionContext,
  drain: { readonly withinMs: number; readonly endAfterMs: number | null },
  signal: AbortSignal,
): Promise<void> {
  const { postgres, clock } = context;
  const begun = clock.boottimeMs();
  for (;;) {
    const open = await postgres.openTransactions({ signal, withinMs: 1_000 });
    if (open.length === 0) return;
    const elapsed = clock.boottimeMs() - begun;
    if (elapsed >= drain.withinMs) {
      const names = open.map((s) => `pid ${s.pid} (${s.user}@${s.clientAddress ?? 'local'}, ${s.state})`);
      throw new UnderstudyError('TIMEOUT', `transactions of direct clients are still open: ${names.join(', ')}`);
    }
    if (drain.endAfterMs !== null && elapsed >= drain.endAfterMs) {
      const pids = open.map((session) => session.pid);
      await postgres.endSessions(pids, { signal, withinMs: 1_000 });
    }
    await clock.sleep(drainPollMs, signal);
  }
}

async function promote(
  context: ExecutionContext,
  action: Extract<JobAction, { do: 'promote' }>,
  signal: AbortSignal,
  view: ClusterView,
): Promise<void> {
  const { withinMs, timeline } = action;
  // From its first instant it waits for whom the durability record demands.
  if (action.configure) await context.postgres.configure(context.configuration(context.spec()), { signal, withinMs });
  await context.postgres.promote(timeline, { signal, withinMs });
  // Before its next checkpoint, from which on a primary keeps only what is marked.
  if (action.archives !== null) await archiveReceived(context, action.archives.after);
  const term = context.mirror.image.lease?.value.term ?? 0;
  const before = 'timeline' in view.postgres ? view.postgres.timeline : 0;
  context.emit('postgres.promoted', { node: context.self, term, timeline: timeline ?? before + 1 });
}

/** It serves already: what could not be marked for the archive is told, and fails nothing. */
async function archiveReceived(context: ExecutionContext, after: Lsn | null): Promise<void> {
  try {
    await context.postgres.archiveReceived(after);
  } catch (error) {
    context.failed('archive', describeError(error));
  }
}

async function applyDatabases(
  context: ExecutionContext,
  action: Extract<JobAction, { do: 'apply-databases' }>,
  signal: AbortSignal,
  view: ClusterView,
): Promise<void> {
  const roles = applicationRoles(action.spec, openGenerations({ ...view, store: context.mirror.view }));
  await context.postgres.applyDatabases(action.spec.databases, roles, { signal, withinMs: databasesWithinMs });
  context.achieved({ kind: 'databases-applied', specRevision: action.specRevision });
}
