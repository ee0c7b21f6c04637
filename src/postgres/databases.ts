/**
 * Brings databases, roles and rights to what is declared, and says what differs and is left alone. One statement when
 * nothing has to change.
 *
 * Who has lost his access is out before anything else is written, whatever is wrong with the rest, and a new login opens last,
 * when everything that it may do is granted. What is unfit, or fails inside one database, keeps nothing else from being done,
 * and is told at the end. All of it may be repeated. Runs on the primary only. Never more than one session inside databases: a
 * look takes no connections from anybody.
 */

import type { ApplicationRole } from '../core/application-roles.ts';
import type { DatabaseState } from '../core/applied.ts';
import type { DatabaseSpec } from '../core/spec.ts';
import { describeError, isUnderstudyError } from '../errors/understudy-error.ts';
import type { Dropped } from '../ports/postgres.ts';
import { type AppliedRecords, appliedStatement, keyOf, makeTable } from './applied-table.ts';
import { leftoverRoles, planDrop } from './database-drop.ts';
import {
  type ExtensionFacts,
  extensionsStatement,
  type InsidePlan,
  planInside,
  requireExtension,
} from './database-inside.ts';
import { formerDatabases } from './database-items.ts';
import { type DatabasePlan, planDatabaseChanges, type StatementGroup } from './database-plan.ts';
import type { Reverts } from './item-plan.ts';
import { replicationRole, rewindRole } from './layout.ts';
import { rewindRoleStatements } from './rewind-role.ts';
import { type Catalog, catalogStatement, findRole } from './role-catalog.ts';
import { createSession, type Session, sqlState } from './session.ts';
import type { Deadline } from './waiting.ts';

type Databases = readonly DatabaseSpec[];
type Applications = readonly ApplicationRole[];

export interface DatabaseApplier {
  apply(databases: Databases, applications: Applications, deadline: Deadline, reverts?: Reverts): Promise<void>;
  look(databases: Databases, applications: Applications, deadline: Deadline): Promise<DatabaseState>;
  /** Throws REFUSED, NOT_FOUND. */
  drop(name: string, databases: Databases, applications: Applications, deadline: Deadline): Promise<Dropped>;
}

interface Where {
  readonly socketDirectory: string;
  readonly port: number;
  readonly major: number;
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

export function createDatabaseApplier(session: Session, where: Where): DatabaseApplier {
  const left = (deadline: Deadline): number => {
    deadline.check('applying databases and roles');
    return Math.max(1, deadline.leftMs());
  };

  const run = async (statements: readonly string[], deadline: Deadline): Promise<void> => {
    for (const statement of statements) await session.execute(statement, left(deadline));
  };

  /** What PostgreSQL refuses in one group keeps no other from being done; answers what failed. */
  const runEach = async (groups: readonly StatementGroup[], deadline: Deadline): Promise<readonly unknown[]> => {
    const failures: unknown[] = [];
    for (const statements of groups) {
      try {
        await run(statements, deadline);
      } catch (error) {
        if (sqlState(error) === null) throw error;
        failures.push(error);
      }
    }
    return failures;
  };

  const readApplied = async (deadline: Deadline): Promise<AppliedRecords> => {
    const rows = await session.query(appliedStatement, left(deadline));
    return new Map(rows.map((row) => [keyOf(row), row]));
  };

  const readCatalog = async (deadline: Deadline) => {
    const [row] = await session.query(catalogStatement, left(deadline));
    const catalog: Catalog = {
      roles: row?.roles ?? [],
      databases: row?.databases ?? [],
      applied: row?.applied === true ? await readApplied(deadline) : new Map(),
    };
    return { catalog, row };
  };

  /** What the cluster itself needs. */
  const prepare = async ({ catalog, row }: Awaited<ReturnType<typeof readCatalog>>, deadline: Deadline) => {
    if (row?.applied !== true) await run([makeTable], deadline);
    if (row?.replication !== true) {
      const known = findRole(catalog, replicationRole) !== undefined;
      await run([`${known ? 'ALTER' : 'CREATE'} ROLE ${replicationRole} LOGIN REPLICATION`], deadline);
    }
    if (row?.rewind !== true) {
      await run(rewindRoleStatements(findRole(catalog, rewindRole) !== undefined), deadline);
    }
  };

  /** One that can't be closed keeps nobody else's door open, and everything else waits. */
  const close = async (statements: readonly string[], deadline: Deadline): Promise<void> => {
    const failures: unknown[] = [];
    for (const statement of statements) {
      await run([statement], deadline).catch((error: unknown) => failures.push(error));
    }
    if (failures.length > 0) throw failures[0];
  };

  const inside = async <T>(database: DatabaseSpec, work: (there: Session) => Promise<T>): Promise<T> => {
    const there = createSession({ ...where, database: database.name });
    try {
      return await work(there);
    } finally {
      there.drop();
    }
  };

  /** `null`: no extension was ever declared there. */
  const extensionsOf = async (
    there: Session,
    catalog: Catalog,
    { name, extensions }: DatabaseSpec,
    deadline: Deadline,
  ): Promise<readonly ExtensionFacts[] | null> => {
    const isKnown = [...catalog.applied.values()].some(
      ({ database, item }) => database === name && item.startsWith('extension '),
    );
    return extensions.length > 0 || isKnown ? await there.query(extensionsStatement, left(deadline)) : null;
  };

  const applyInside = async (
    database: DatabaseSpec,
    plan: InsidePlan,
    facts: readonly ExtensionFacts[] | null,
    there: Session,
    deadline: Deadline,
  ): Promise<void> => {
    if (plan.grants !== null) await there.execute(plan.grants, left(deadline));
    await run(plan.granted, deadline);
    for (const { name, statement, done } of plan.extensions) {
      requireExtension(name, { database: database.name, major: where.major }, facts ?? []);
      await there.execute(statement, left(deadline));
      await run([done], deadline);
    }
  };

  /** Answers what failed. */
  const applyAllInside = async (
    { inside: databases, newGroups, left: spared }: DatabasePlan,
    catalog: Catalog,
    applications: Applications,
    reverts: Reverts,
    deadline: Deadline,
  ): Promise<readonly unknown[]> => {
    const failures: unknown[] = [];
    for (const database of databases) {
      const records = newGroups.has(database.name) ? new Map() : catalog.applied;
      try {
        await inside(database, async (there) => {
          const facts = await extensionsOf(there, catalog, database, deadline);
          const plan = planInside(database, applications, records, facts, reverts, spared);
          await applyInside(database, plan, facts, there, deadline);
        });
      } catch (error) {
        failures.push(error);
      }
    }
    return failures;
  };

  return {
    async apply(databases, applications, deadline, reverts = revertsNothing) {
      const found = await readCatalog(deadline);
      const { catalog } = found;
      const plan = planDatabaseChanges(catalog, databases, applications, reverts);
      await close(plan.closing, deadline);
      await prepare(found, deadline);
      const failures = [
        ...(await runEach(plan.groups, deadline)),
        ...(await applyAllInside(plan, catalog, applications, reverts, deadline)),
        ...(await runEach(oneByOne(plan.opening), deadline)),
      ];
      const [trouble] = [...plan.troubles, ...failures];
      if (trouble !== undefined) throw trouble;
    },

    async look(databases, applications, deadline) {
      const { catalog } = await readCatalog(deadline);
      const plan = planDatabaseChanges(catalog, databases, applications, revertsNothing);
      const drift = [...plan.drift];
      const troubles = plan.troubles.map(describeError);
      for (const database of databases.filter(({ name }) => catalog.databases.some((each) => each.name === name))) {
        try {
          const facts = await inside(database, (there) => extensionsOf(there, catalog, database, deadline));
          drift.push(...planInside(database, applications, catalog.applied, facts, revertsNothing).drift);
        } catch (error) {
          if (!isUnderstudyError(error)) throw error;
          troubles.push(`nobody can look into the database ${database.name}: ${describeError(error)}`);
        }
      }
      return { ...standing(catalog, databases, applications), drift, troubles };
    },

    async drop(name, databases, applications, deadline) {
      const { catalog } = await readCatalog(deadline);
      const plan = planDrop(catalog, name, databases, applications);
      await run([plan.database], deadline);
      const kept: string[] = [];
      for (const { name: role, statement } of plan.roles) {
        try {
          await run([statement], deadline);
        } catch (error) {
          if (sqlState(error) !== stillNeeded) throw error;
          kept.push(role);
        }
      }
      await run(plan.forgetting, deadline);
      return { roles: plan.roles.map((role) => role.name).filter((role) => !kept.includes(role)), kept };
    },
  };
}
