/**
 * Moves the primary from a full disk (core/rules/full-disk.ts decides), by the switchover that a person would ask for.
 *
 * Invariant: one at a time, and after one that was refused or failed the next of the same term only `againAfterMs` later.
 */

import { moveFromFullDisk } from '../core/rules/full-disk.ts';
import { assess, currentTerm } from '../core/situation.ts';
import { describeError } from '../errors/understudy-error.ts';
import type { DatabaseBackend } from './database-backend.ts';
import type { DatabaseNode } from './database-node.ts';

const againAfterMs = 60_000;

/** Until the agent ends. */
export function watchFullDisk(agent: DatabaseNode, backend: Pick<DatabaseBackend, 'switchover'>): void {
  let tried: { readonly term: number; readonly atMs: number } | null = null;
  const failed = (because: string): void =>
    agent.emit('action.failed', { node: agent.node, action: 'move from a full disk', because });
  agent.onChange(() => {
    const fresh = agent.freshView;
    const nowMs = agent.clock.boottimeMs();
    if (fresh === null || agent.signal.aborted) return;
    const situation = assess(fresh.view, fresh.memory);
    const term = currentTerm(situation);
    if (tried !== null && tried.term === term && nowMs - tried.atMs < againAfterMs) return;
    const move = moveFromFullDisk(situation);
    if (move === null) return;
    tried = { term, atMs: nowMs };
    const { to, freeBytes } = move;
    agent.emit('disk.full', { node: agent.node, to, freeBytes });
    const request = { to, forceAfterMs: null, without: [], dryRun: false, paceMs: 0 };
    backend.switchover(request, `the agent of ${agent.node}`, agent.signal).then(
      ({ outcome, preflight }) => {
        const [blocker] = preflight.blockers;
        if (outcome === 'refused') failed(blocker?.text ?? 'it was refused');
      },
      (error: unknown) => failed(describeError(error)),
    );
  });
}
