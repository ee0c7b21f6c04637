/**
 * What people ask of the databases themselves: what was changed by hand, to have it undone, and to drop what is no longer
 * declared. Only the primary's agent answers; whoever asks goes there.
 *
 * Invariant: nothing that is declared is dropped, whatever is asked.
 */
import type { DropAnswer } from '../api/contract/databases.ts';
import type { Accepted } from '../api/contract/orders.ts';
import { applicationRoles } from '../core/application-roles.ts';
import { type DatabaseState, isRevertible } from '../core/applied.ts';
import { openGenerations } from '../core/rules/credential-chore.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { DatabaseNode } from './database-node.ts';
import { handsAreOff } from './hands-off-order.ts';
import { holderOf } from './switchover-orders.ts';

const lookWithinMs = 5_000;
/** A drop waits for a checkpoint. */
const orderWithinMs = 55_000;

/** Throws REFUSED when another node is primary. */
function requirePrimary({ mirror, node }: DatabaseNode): void {
  const holder = holderOf(mirror.image.lease?.value);
  if (holder === node) return;
  throw new UnderstudyError('REFUSED', `${node} is not the primary: ${holder} is`, { hint: 'ask again in a second' });
}

function requireHandsOn({ mirror }: DatabaseNode): void {
  if (mirror.image.handsOff !== null) throw new UnderstudyError('REFUSED', handsAreOff);
}

export async function databaseState(agent: DatabaseNode, signal: AbortSignal): Promise<DatabaseState> {
  requirePrimary(agent);
  const spec = agent.spec();
  return await agent.postgres.databaseState(spec.databases, applicationRoles(spec), {
    withinMs: lookWithinMs,
    signal,
  });
}

/** `name: null`: everything that can be. Throws NOT_FOUND when nothing of that name was changed. */
export async function revertDatabases(
  agent: DatabaseNode,
  name: string | null,
  by: string,
  signal: AbortSignal,
): Promise<Accepted> {
  requireHandsOn(agent);
  const { drift } = await databaseState(agent, signal);
  const reverted = drift.filter((each) => isRevertible(each) && (name === null || each.name === name));
  if (reverted.length === 0) {
    if (name === null) return { accepted: true, because: 'nothing was changed by hand' };
    throw new UnderstudyError('NOT_FOUND', `nothing called ${JSON.stringify(name)} was changed by hand`, {
      hint: 'understudy plan lists what was',
    });
  }
  const names = new Set(reverted.map((each) => each.name));
  const spec = agent.spec();
  const { view } = agent.freshView ?? { view: agent.blankView() };
  const roles = applicationRoles(spec, openGenerations({ ...view, store: agent.mirror.view }));
  await agent.postgres.applyDatabases(spec.databases, roles, {
    withinMs: orderWithinMs,
    signal,
    reverts: (each) => names.has(each),
  });
  const what = [...names].join(', ');
  agent.emit('database.reverted', { by, what });
  return { accepted: true, because: `as declared again: ${what}` };
}

/** Throws REFUSED for what is declared, NOT_FOUND for what never was. */
export async function dropDatabase(
  agent: DatabaseNode,
  name: string,
  by: string,
  signal: AbortSignal,
): Promise<DropAnswer> {
  requireHandsOn(agent);
  requirePrimary(agent);
  const spec = agent.spec();
  const options = { withinMs: orderWithinMs, signal };
  const dropped = await agent.postgres.dropDatabase(name, spec.databases, applicationRoles(spec), options);
  agent.emit('database.dropped', { by, database: name });
  return { database: name, ...dropped };
}
