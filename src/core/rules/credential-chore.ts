/**
 * When the holder looks after the credentials of applications; what it does then is credentials.ts's. Pure.
 *
 * Invariant: nothing waits for it, and it waits until the roles have been seen to; of those that can't be made, as for an extension
 * that is missing, it has nothing to do, and the others don't wait. It is due when anything changed that it rests on, and from time to
 * time, since the server's catalogue may change without a word.
 */
import type { Action } from '../actions.ts';
import type { OpenGenerations } from '../application-roles.ts';
import type { ClusterView } from '../cluster-view.ts';
import { credentialName } from '../credential.ts';
import type { ClientPasswordUse, PoolerReport } from '../pooler-report.ts';
import type { Situation } from '../situation.ts';
import type { ApplicationName, NodeName, Spec } from '../spec.ts';
import { retryAfterMs } from './job-retry.ts';

/** A password that the server lost is missed at the pooler's next login: long before, in ms. */
const everyMs = 15_000;

/** The generation that every server connection of a node's pooler is of; 0: it has none; `null`: not known. */
export type InUse = (node: NodeName, application: ApplicationName) => number | null;

export function inUseBy(view: Pick<ClusterView, 'reports' | 'store'>): InUse {
  return (node, application) => reportOf(view, node)?.credentials?.[application] ?? null;
}

/** Which of its passwords at the pooler of a node an application is told; `null`: not known. */
export function clientPasswordAt(
  view: Pick<ClusterView, 'reports' | 'store'>,
  node: NodeName,
  application: ApplicationName,
): ClientPasswordUse | null {
  return reportOf(view, node)?.clientPasswords?.[application] ?? null;
}

/** What it said to this agent itself is newer than what stands in the store. */
function reportOf({ reports, store }: Pick<ClusterView, 'reports' | 'store'>, node: NodeName): PoolerReport | null {
  return reports.get(node)?.report ?? store.poolers.get(node)?.value ?? null;
}

/** Which logins may be open, as far as the roles of the databases are concerned. */
export function openGenerations(view: Pick<ClusterView, 'reports' | 'store'>): OpenGenerations {
  const inUse = inUseBy(view);
  return (application, node) => {
    const record = view.store.credentials.get(credentialName(node, application))?.value;
    // A store that was made anew knows nothing of what the pooler logs in with; without that, nobody logs in yet.
    if (record === undefined) return 'as-it-is';
    const isLeft = (inUse(node, application) ?? 0) >= record.generation;
    return isLeft ? [record.generation] : [record.generation, record.generation + 1];
  };
}

export function decideCredentials(situation: Situation): {
  readonly actions: readonly Action[];
  readonly unconverged: readonly string[];
} {
  const { view, memory, spec, specRevision, nowMs } = situation;
  const nothing = { actions: [], unconverged: [] };
  if (spec === null || view.postgres.state !== 'primary' || situation.lease.is !== 'mine') return nothing;
  const key = keyOf(view, specRevision ?? 0, memory.databasesRevision);
  const isDue = memory.credentialsKey !== key || nowMs - (memory.credentialsDoneAtMs ?? 0) >= everyMs;
  const isSeenTo = memory.databasesRevision === specRevision || view.lastJobs.get('databases')?.outcome === 'failed';
  const isReady = isSeenTo && retryAfterMs(view, 'credentials') === 0;
  const action: Action = { do: 'apply-credentials', spec, key, because: ['credentials-due'] };
  return {
    actions: isDue && isReady ? [action] : [],
    unconverged: isOwed(view, spec) ? ['credentials'] : [],
  };
}

function keyOf({ store, reports }: ClusterView, specRevision: number, databasesRevision: number | null): string {
  const records = [...store.credentials].map(([name, { revision }]) => [name, revision]);
  const sealing = [...store.sealing].map(([node, { revision }]) => [node, revision]);
  const heard = [...reports].map(([node, { report }]) => [node, report.credentials ?? null]);
  return JSON.stringify([specRevision, databasesRevision, records, sealing, heard]);
}

/** A node that has no sealing certificate yet is waited for by nobody: it has not been enrolled. */
function isOwed({ store }: ClusterView, spec: Spec): boolean {
  return spec.applications.some(({ name, nodes }) =>
    nodes.some((node) => store.sealing.has(node) && !store.credentials.has(credentialName(node, name))),
  );
}
