/**
 * Whether what a declaration promises of durability can be kept by the nodes that it declares. Pure.
 *
 * Refused is what no state of these nodes could fulfil; what merely bears no failure is a doubt.
 */
import { electionWindowMs } from '../core/rules/election.ts';
import { isDelayed, nodesOfRole, type Spec } from '../core/spec.ts';
import type { Finding } from './issue.ts';
import type { ClusterFile } from './schema.ts';
import { formatDuration } from './units.ts';

/** A delayed one acknowledges nothing. */
function standbysOf(spec: Spec): number {
  return Math.max(0, nodesOfRole(spec, 'database').filter((node) => !isDelayed(node)).length - 1);
}

function counted(standbys: number): string {
  return standbys === 0
    ? 'there is no standby'
    : standbys === 1
      ? 'there is one standby'
      : `there are ${standbys} standbys`;
}

/** The short form has no key of its own for `commit`. */
function commitPath(file: ClusterFile): readonly string[] {
  return typeof file.durability === 'string' ? ['durability'] : ['durability', 'commit'];
}

export function durabilityDisagreements(file: ClusterFile, spec: Spec): readonly Finding[] {
  const { commit, k, acceptLossAfterMs } = spec.durability;
  const standbys = standbysOf(spec);
  const lonely: readonly Finding[] =
    commit === 'local' || standbys > 0
      ? []
      : [
          {
            path: commitPath(file),
            at: 'value',
            message: `waits for a standby, and ${counted(standbys)}. A second database node, or local`,
          },
        ];
  // One standby to come is no mistake: a cluster may begin with its first node.
  const tooMany: readonly Finding[] =
    k <= Math.max(1, standbys)
      ? []
      : [
          {
            path: ['durability', 'k'],
            at: 'value',
            message: `${k} can't acknowledge: ${counted(standbys)}. At most ${Math.max(1, standbys)}, or more database nodes`,
          },
        ];
  const leastMs = 2 * spec.lease.ttlMs + electionWindowMs;
  const tooSoon: readonly Finding[] =
    acceptLossAfterMs === null || acceptLossAfterMs >= leastMs
      ? []
      : [
          {
            path: ['durability', 'unheard', 'accept_loss_after'],
            at: 'value',
            message: `${formatDuration(acceptLossAfterMs)} is no time for a slow node to be heard with a lease of ${formatDuration(spec.lease.ttlMs)}. At least ${formatDuration(leastMs)}`,
          },
        ];
  return [...lonely, ...tooMany, ...tooSoon];
}

/** What is allowed and bears no failure of a standby. */
export function durabilityDoubts(spec: Spec): readonly Finding[] {
  const { commit, k, withoutStandby } = spec.durability;
  const standbys = standbysOf(spec);
  const isFragile = withoutStandby === 'wait' && standbys > 0 && k >= standbys && (commit === 'sync' || k > 1);
  if (!isFragile) return [];
  const what = commit === 'sync' ? 'every commit' : 'every replicated commit';
  const message = `${counted(standbys)} for k ${k}: the loss of one stops ${what}. One more database node, or 'without_standby: degrade'`;
  return [{ path: ['durability'], at: 'key', message }];
}
