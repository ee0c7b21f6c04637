/** Moves the primary from a full disk (core/rules/full-disk.ts decides), by the switchover that a person would ask for. */
import { type MoveTried, moveFromFullDisk } from '../core/rules/full-disk.ts';
import { assess, currentTerm } from '../core/situation.ts';
import { describeError } from '../errors/understudy-error.ts';
import type { DatabaseBackend } from './database-backend.ts';
import type { DatabaseNode } from './database-node.ts';

/** Until the agent ends. */
export function watchFullDisk(agent: DatabaseNode, backend: Pick<DatabaseBackend, 'switchover'>): void {
  let tried: MoveTried | null = null;
  const failed = (because: string): void =>
    agent.emit('action.failed', { node: agent.node, action: 'move from a full disk', because });
  agent.onChange(() => {
    const fresh = agent.freshView;
    if (fresh === null || agent.signal.aborted) return;
    const situation = assess(fresh.view, fresh.memory);
    const move = moveFromFullDisk(situation, tried);
    if (move === null) return;
    tried = { term: currentTerm(situation), atMs: situation.nowMs };
    const { to, freeBytes } = move;
    agent.emit('disk.full', { node: agent.node, to, freeBytes });
    const request = { to, forceAfterMs: null, without: [], dryRun: false, paceMs: 0 };
    backend.switchover(request, { kind: 'agent', name: `the agent of ${agent.node}` }, agent.signal).then(
      ({ outcome, preflight }) => {
        const [blocker] = preflight.blockers;
        if (outcome === 'refused') failed(blocker?.text ?? 'it was refused');
      },
      (error: unknown) => failed(describeError(error)),
    );
  });
}
