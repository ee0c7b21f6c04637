/**
 * Carries out what was decided, through the ports: one case for each action, no decisions of its own.
 *
 * Store actions are in execute-store.ts, jobs in execute-jobs.ts; here are the short acts on PostgreSQL. Each act has a
 * deadline well below the lease's, so that no act costs a renewal.
 */
import type { Action } from '../core/actions.ts';
import type { ClusterView } from '../core/cluster-view.ts';
import { driftMs, fenceDeadlineMs } from '../core/lease.ts';
import type { Outcome } from '../core/memory.ts';
import { describeSyncSet } from '../core/rules/sync-standbys.ts';
import { slotsKey } from '../core/rules/upkeep.ts';
import { slotName } from '../core/spec.ts';
import { describeError } from '../errors/understudy-error.ts';
import { startJob } from './execute-jobs.ts';
import { isStoreAction, performStoreAction } from './execute-store.ts';
import type { ExecutionContext } from './execution-context.ts';
import type { Performed } from './loop.ts';

const shortActWithinMs = 900;
const promiseWithinMs = 400;

const done: Performed = { outcomes: [], goOn: true, lookAgain: false };

export async function perform(context: ExecutionContext, action: Action, view: ClusterView): Promise<Performed> {
  const beganAtMs = context.clock.boottimeMs();
  try {
    if (isStoreAction(action)) return await performStoreAction(context, action);
    return await performLocally(context, action, view);
  } catch (error) {
    const because = describeError(error);
    context.log.warn({ action: action.do, because }, 'an action failed');
    context.failed(action.do, because);
    const outcomes: Outcome[] = [{ kind: 'act-failed', act: action.do, atMs: context.clock.boottimeMs() }];
    if (action.do === 'write-durability') outcomes.push({ kind: 'durability-unanswered' });
    // Unanswered, it may land yet, and whom it names may stand then.
    if ('candidates' in action) outcomes.push({ kind: 'named', nodes: action.candidates ?? [] });
    if (action.do === 'renew-lease') outcomes.push({ kind: 'renewal-sent', atMs: beganAtMs });
    // A status is nobody's condition. Any other failure ends the decision: what comes behind rests on it, or has its turn in
    // the next one, while what failed waits out its back-off. After a renewal that one comes at once, and asks for promises.
    return { outcomes, goOn: action.do === 'publish-status', lookAgain: action.do === 'renew-lease' };
  }
}

async function performLocally(
  context: ExecutionContext,
  action: Exclude<Action, { do: StoreActionName }>,
  view: ClusterView,
): Promise<Performed> {
  const { postgres, clock } = context;
  const options = { withinMs: shortActWithinMs, signal: context.signal };
  switch (action.do) {
    case 'ask-promises':
      return await askPromises(context, action);
    case 'end-blockers':
      await postgres.endSessions(action.pids, options);
      return done;
    case 'follow':
      // A session that has not read its files yet shows the old upstream for a moment: then there is nothing to tell.
      if (await follow(context, action, options)) {
        context.emit('standby.follows', { node: context.self, upstream: action.from });
      }
      return { ...done, lookAgain: true };
    case 'configure': {
      // A standby's files name whom it would wait for as primary: whatever the record says when it is promoted.
      const inForce = view.postgres.state === 'primary' ? action.sync : undefined;
      await postgres.configure(context.configuration(action.spec, inForce), options);
      return { ...done, outcomes: [{ kind: 'configured', specRevision: action.specRevision, sync: action.sync }] };
    }
    case 'set-sync-standbys': {
      const { mark } = await postgres.setSyncStandbys(context.configuration(context.spec(), action.set), options);
      if (view.postgres.state !== 'primary') return done;
      const effect = { pid: view.postgres.pid, set: action.set, mark };
      context.emit('durability.changed', { set: describeSyncSet(action.set) });
      return { ...done, outcomes: [{ kind: 'sync-effective', effect }], lookAgain: true };
    }
    case 'end-retired-sessions':
      await postgres.endRetiredSessions(options);
      return done;
    case 'apply-slots': {
      await postgres.applySlots(action.targets, options);
      const key = slotsKey(action.targets, view.postgres.state);
      return { ...done, outcomes: [{ kind: 'slots-applied', key, atMs: clock.boottimeMs() }] };
    }
    default:
      return startJob(context, action, view);
  }
}

async function follow(
  { postgres, restoreCommand, self, spec, upstream }: ExecutionContext,
  { archive, from }: Extract<Action, { do: 'follow' }>,
  options: Parameters<ExecutionContext['postgres']['follow']>[2],
): Promise<boolean> {
  const archived = archive === true ? restoreCommand(spec()) : null;
  return await postgres.follow(upstream(from), slotName(self), { ...options, restoreCommand: archived });
}

/** Counts from before the first was asked, and only when every one has promised and the fence has confirmed it. */
async function askPromises(
  context: ExecutionContext,
  { of, term, round, ttlMs }: Extract<Action, { do: 'ask-promises' }>,
): Promise<Performed> {
  const sentAtMs = context.clock.boottimeMs();
  const request = { term, round, forMs: ttlMs + driftMs(ttlMs) };
  const answers = await Promise.all(
    of.map((node) => context.askPromise(node, request, promiseWithinMs).catch(() => ({ given: false, round: 0 }))),
  );
  // An agent that was restarted counts its rounds from one again; what it gave before it stands in others' records.
  const reached = Math.max(round, ...answers.map((answer) => answer.round));
  const asked: Outcome = { kind: 'promises-asked', round: reached, atMs: sentAtMs };
  if (!answers.every(({ given }) => given)) {
    context.log.warn({ of, answers, round }, 'not everybody who could be promoted has promised to wait');
    return { ...done, outcomes: [asked] };
  }
  await context.fence.extend(term, fenceDeadlineMs(sentAtMs, ttlMs));
  return { ...done, outcomes: [asked, { kind: 'promised', promised: { term, sentAtMs, ttlMs } }] };
}

type StoreActionName = Parameters<typeof performStoreAction>[1]['do'];
