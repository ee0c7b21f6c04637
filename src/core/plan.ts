/**
 * What applying a declaration would change. Pure, and it changes nothing: refusals are values.
 *
 * Invariant: every difference between the two specs stands in the plan, and what isn't safe or can't be done stands in
 * it as refused. Data is never destroyed by a plan: a database or a data directory that is no longer declared stays
 * until someone removes it by hand.
 */
import { planBackups } from './plan-backups.ts';
import { planCertificates } from './plan-certificates.ts';
import type { Change, PlanFacts, Refusal } from './plan-change.ts';
import { planApplications, planDatabases } from './plan-databases.ts';
import { planNodes } from './plan-nodes.ts';
import { planSettings } from './plan-settings.ts';
import type { NodeName, Spec } from './spec.ts';

export type { Change, PlanFacts, Refusal } from './plan-change.ts';

export interface Plan {
  readonly changes: readonly Change[];
  /** What is gone for good afterwards. */
  readonly destroyed: readonly string[];
  /** What stops working, or pauses, as soon as the plan is applied. */
  readonly interruption: readonly string[];
  /** Not empty: the plan must not be applied. */
  readonly refusals: readonly Refusal[];
}

/** `current` is `null` for a cluster that doesn't exist yet. */
export function planChanges(current: Spec | null, next: Spec, facts: PlanFacts): Plan {
  const parts = [
    ...(current === null ? [] : [planSettings(current, next)]),
    planNodes(current, next, facts),
    planDatabases(current, next, facts),
    planApplications(current, next),
    planCertificates(current, next),
    planBackups(current, next),
  ];
  return {
    changes: parts.flatMap((part) => part.changes),
    destroyed: parts.flatMap((part) => part.destroyed),
    interruption: parts.flatMap((part) => part.interrupted),
    refusals: parts.flatMap((part) => part.refusals),
  };
}

const marks = { add: '+', remove: '-', change: '~' } as const;

function place(nodes: readonly NodeName[]): string {
  if (nodes.length === 0) return 'cluster';
  return nodes.length > 4 ? `${nodes.length} nodes` : nodes.join(',');
}

function difference({ kind, what, from, to }: Change): string {
  if (kind !== 'change') return [what, kind === 'add' ? to : from].filter((part) => part !== null).join(' ');
  return `${what} ${from ?? 'default'} -> ${to ?? 'default'}`;
}

/** The verdict first, then one line for every change. */
export function renderPlan(plan: Plan): readonly string[] {
  const refusals = plan.refusals.map(({ what, reason }) => `Refused: ${what}. ${reason}`);
  if (plan.changes.length === 0) return [...refusals, 'No changes.'];
  const interruption = plan.interruption.length === 0 ? 'none now' : plan.interruption.join('; ');
  const destroyed = plan.destroyed.length === 0 ? 'nothing' : plan.destroyed.join('; ');
  const width = Math.max(...plan.changes.map(({ nodes }) => place(nodes).length));
  const lines = plan.changes.map((change) => {
    const mark = change.effect === 'refused' ? '!' : marks[change.kind];
    const effect = change.effect === 'now' ? '' : `  ${change.effect}`;
    return `${place(change.nodes).padEnd(width)}  ${mark} ${difference(change)}${effect}`;
  });
  return [...refusals, `Interruption: ${interruption}. Destroyed: ${destroyed}.`, ...lines];
}
