/** What the primary's agent finds in its databases that no plan can know: what somebody changed by hand, and what waits to be dropped. */
import { type DatabaseState, driftText, leftoverText, retiredText } from '../core/applied.ts';
import type { Plan } from '../core/plan.ts';
import { describeError, isUnderstudyError, UnderstudyError } from '../errors/understudy-error.ts';
import type { ClusterAccess } from './cluster-access.ts';

export const nothingFound: DatabaseState = {
  drift: [],
  retired: [],
  leftovers: [],
  found: [],
  troubles: [],
};

/** Throws REFUSED while there is no primary. */
export async function primaryOf(access: ClusterAccess): Promise<string> {
  const { primary } = await access.status();
  if (primary !== null) return primary;
  throw new UnderstudyError('REFUSED', 'there is no primary now', { hint: 'understudy status' });
}

/** A question that fails keeps no plan from being shown: what is not known is said to be so. */
export async function databaseState(
  access: ClusterAccess,
  primary: string | null,
): Promise<{ readonly state: DatabaseState; readonly unknownBecause: string | null }> {
  if (primary === null) return { state: nothingFound, unknownBecause: 'there is no primary' };
  try {
    const state = await access.askNode(primary, (client, asking) => client.databases(asking), 6_000);
    return { state, unknownBecause: null };
  } catch (error) {
    if (!isUnderstudyError(error)) throw error;
    return { state: nothingFound, unknownBecause: describeError(error) };
  }
}

/** What the plan itself changes is no longer worth telling. */
export function driftLines(
  primary: string | null,
  { drift, retired, leftovers, troubles }: DatabaseState,
  plan: Plan,
): readonly string[] {
  const planned = new Set(plan.changes.map(({ what }) => what));
  const again = (name: string) => plan.changes.some(({ kind, what }) => kind === 'add' && what === `database ${name}`);
  const texts = [
    ...drift.filter(({ name }) => !planned.has(name)).map(driftText),
    ...retired.filter((name) => !again(name)).map(retiredText),
    ...leftovers.filter(({ database }) => !again(database)).map(leftoverText),
    ...troubles,
  ];
  return texts.map((text) => `${primary ?? 'cluster'}  ! ${text}`);
}
