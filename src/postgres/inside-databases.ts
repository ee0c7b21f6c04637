/**
 * Goes into one database after the other, to see or to do what can only be seen or done there (database-inside.ts).
 *
 * Invariant: never more than one session inside databases, so that a look takes no connections from anybody; what fails in one
 * keeps nothing from being done in the next.
 */
import type { ApplicationRole } from '../core/application-roles.ts';
import type { DatabaseSpec } from '../core/spec.ts';
import {
  type ExtensionFacts,
  extensionsStatement,
  type InsidePlan,
  planInside,
  requireExtension,
} from './database-inside.ts';
import type { DatabasePlan } from './database-plan.ts';
import type { Reverts } from './item-plan.ts';
import type { Catalog } from './role-catalog.ts';
import { createSession } from './session.ts';
import { runIn, type StatementRun } from './statement-run.ts';
import type { Deadline } from './waiting.ts';

export interface InsideWhere {
  readonly socketDirectory: string;
  readonly port: number;
  readonly major: number;
}

async function inside<T>(
  where: InsideWhere,
  { name }: DatabaseSpec,
  deadline: Deadline,
  work: (there: StatementRun) => Promise<T>,
): Promise<T> {
  const session = createSession({ ...where, database: name });
  try {
    return await work(runIn(session, deadline));
  } finally {
    session.drop();
  }
}

/** `null`: no extension was ever declared there. */
async function extensionsOf(
  there: StatementRun,
  catalog: Catalog,
  { name, extensions }: DatabaseSpec,
): Promise<readonly ExtensionFacts[] | null> {
  const isKnown = [...catalog.applied.values()].some(
    ({ database, item }) => database === name && item.startsWith('extension '),
  );
  return extensions.length > 0 || isKnown ? await there.query(extensionsStatement) : null;
}

export function lookInside(
  where: InsideWhere,
  database: DatabaseSpec,
  catalog: Catalog,
  deadline: Deadline,
): Promise<readonly ExtensionFacts[] | null> {
  return inside(where, database, deadline, (there) => extensionsOf(there, catalog, database));
}

/** `records`: runs in the database `postgres`, where what was done is written down. Answers what failed. */
export async function applyInside(
  where: InsideWhere,
  { inside: databases, newGroups, left }: DatabasePlan,
  { catalog, applications, reverts }: Declared,
  records: StatementRun,
  deadline: Deadline,
): Promise<readonly unknown[]> {
  const failures: unknown[] = [];
  for (const database of databases) {
    const applied = newGroups.has(database.name) ? new Map() : catalog.applied;
    try {
      await inside(where, database, deadline, async (there) => {
        const facts = await extensionsOf(there, catalog, database);
        const plan = planInside(database, applications, applied, facts, reverts, left);
        await carryOut(plan, facts ?? [], { database: database.name, major: where.major }, there, records);
      });
    } catch (error) {
      failures.push(error);
    }
  }
  return failures;
}

interface Declared {
  readonly catalog: Catalog;
  readonly applications: readonly ApplicationRole[];
  readonly reverts: Reverts;
}

async function carryOut(
  plan: InsidePlan,
  facts: readonly ExtensionFacts[],
  place: { readonly database: string; readonly major: number },
  there: StatementRun,
  records: StatementRun,
): Promise<void> {
  if (plan.grants !== null) await there.run([plan.grants]);
  await records.run(plan.granted);
  for (const { name, statement, done } of plan.extensions) {
    requireExtension(name, place, facts);
    await there.run([statement]);
    await records.run([done]);
  }
}
