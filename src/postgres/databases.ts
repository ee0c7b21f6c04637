/**
 * Brings databases, roles and rights to what is declared, and says what differs and is left alone. One statement when
 * nothing has to change.
 *
 * Who has lost his access is out before anything else is written, whatever is wrong with the rest, and a new login opens last,
 * when everything that it may do is granted. What is unfit, or fails inside one database, keeps nothing else from being done,
 * and is told at the end. All of it may be repeated. Runs on the primary only.
 */

import type { ApplicationRole } from '../core/application-roles.ts';
import type { DatabaseState } from '../core/applied.ts';
import type { DatabaseSpec } from '../core/spec.ts';
import { describeError, isUnderstudyError } from '../errors/understudy-error.ts';
import type { Dropped } from '../ports/postgres.ts';
import { prepareCluster, readCatalog } from './catalog-reading.ts';
import { leftoverRoles, planDrop } from './database-drop.ts';
import { planInside } from './database-inside.ts';
import { formerDatabases } from './database-items.ts';
import { planDatabaseChanges, type StatementGroup } from './database-plan.ts';
import { applyInside, type InsideWhere, lookInside } from './inside-databases.ts';
import type { Reverts } from './item-plan.ts';
import type { Catalog } from './role-catalog.ts';
import { type Session, sqlState } from './session.ts';
import { runIn } from './statement-run.ts';
import type { Deadline } from './waiting.ts';

type Databases = readonly DatabaseSpec[];
type Applications = readonly ApplicationRole[];

export interface DatabaseApplier {
  apply(databases: Databases, applications: Applications, deadline: Deadline, reverts?: Reverts): Promise<void>;
  look(databases: Databases, applications: Applications, deadline: Deadline): Promise<DatabaseState>;
  /** Throws REFUSED, NOT_FOUND. */
  drop(name: string, databases: Databases, applications: Applications, deadline: Deadline): Promise<Dropped>;
}

/** SQLSTATE dependent_objects_still_exist. */
const stillNeeded = '2BP01';
const revertsNothing: Reverts = () => false;

/** What is there and what is left of databases, declared or not. */
function standing(
  catalog: Catalog,
  databases: Databases,
  applications: Applications,
): Pick<DatabaseState, 'retired' | 'leftovers' | 'found'> {
  const former = formerDatabases(catalog, databases);
  const isThere = (name: string) => catalog.databases.some((each) => each.name === name);
  const gone = former.filter((name) => !isThere(name));
  return {
    retired: former.filter(isThere),
    leftovers: gone
      .map((database) => ({ database, roles: leftoverRoles(catalog, database, databases, applications) }))
      .filter(({ roles }) => roles.length > 0),
    found: catalog.databases.map(({ name, encoding, locale }) => ({ name, encoding, locale })),
  };
}

function oneByOne(statements: readonly string[]): readonly StatementGroup[] {
  return statements.map((statement) => [statement]);
}

export function createDatabaseApplier(session: Session, where: InsideWhere): DatabaseApplier {
  return {
    async apply(databases, applications, deadline, reverts = revertsNothing) {
      const run = runIn(session, deadline);
      const found = await readCatalog(run);
      const { catalog } = found;
      const plan = planDatabaseChanges(catalog, databases, applications, reverts);
      // One that can't be closed keeps nobody else's door open, and everything else waits.
      await run.runAll(plan.closing);
      await prepareCluster(found, run);
      const failures = [
        ...(await run.runEach(plan.groups)),
        ...(await applyInside(where, plan, { catalog, applications, reverts }, run, deadline)),
        ...(await run.runEach(oneByOne(plan.opening))),
      ];
      const [trouble] = [...plan.troubles, ...failures];
      if (trouble !== undefined) throw trouble;
    },

    async look(databases, applications, deadline) {
      const { catalog } = await readCatalog(runIn(session, deadline));
      const plan = planDatabaseChanges(catalog, databases, applications, revertsNothing);
      const drift = [...plan.drift];
      const troubles = plan.troubles.map(describeError);
      for (const database of databases.filter(({ name }) => catalog.databases.some((each) => each.name === name))) {
        try {
          const facts = await lookInside(where, database, catalog, deadline);
          drift.push(...planInside(database, applications, catalog.applied, facts, revertsNothing).drift);
        } catch (error) {
          if (!isUnderstudyError(error)) throw error;
          troubles.push(`nobody can look into the database ${database.name}: ${describeError(error)}`);
        }
      }
      return { ...standing(catalog, databases, applications), drift, troubles };
    },

    async drop(name, databases, applications, deadline) {
      const steps = runIn(session, deadline);
      const { catalog } = await readCatalog(steps);
      const plan = planDrop(catalog, name, databases, applications);
      await steps.run([plan.database]);
      const kept: string[] = [];
      for (const { name: role, statement } of plan.roles) {
        try {
          await steps.run([statement]);
        } catch (error) {
          if (sqlState(error) !== stillNeeded) throw error;
          kept.push(role);
        }
      }
      await steps.run(plan.forgetting);
      return { roles: plan.roles.map((role) => role.name).filter((role) => !kept.includes(role)), kept };
    },
  };
}
