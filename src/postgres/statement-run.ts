/**
 * Statements of a plan, run one after the other in one session, all within one deadline.
 *
 * Invariant: what PostgreSQL refuses in one group keeps no other group from being done; whatever else goes wrong (a connection
 * that is lost, a deadline) ends all of it.
 */
import type { StatementGroup } from './database-plan.ts';
import { type Session, type Statement, sqlState } from './session.ts';
import type { Deadline } from './waiting.ts';

export interface StatementRun {
  query<Row>(statement: Statement<Row>): Promise<readonly Row[]>;
  run(statements: readonly string[]): Promise<void>;
  /** Answers what failed. */
  runEach(groups: readonly StatementGroup[]): Promise<readonly unknown[]>;
  /** Attempts every one of them, and throws the first failure at the end. */
  runAll(statements: readonly string[]): Promise<void>;
}

/** Throws POSTGRES_TIMEOUT before the statement that has no time left. */
export function runIn(session: Pick<Session, 'execute' | 'query'>, deadline: Deadline): StatementRun {
  const leftMs = (): number => {
    deadline.check('applying databases and roles');
    return Math.max(1, deadline.leftMs());
  };

  const run = async (statements: readonly string[]): Promise<void> => {
    for (const statement of statements) await session.execute(statement, leftMs());
  };

  return {
    query: async (statement) => await session.query(statement, leftMs()),

    run,

    async runEach(groups) {
      const failures: unknown[] = [];
      for (const statements of groups) {
        try {
          await run(statements);
        } catch (error) {
          if (sqlState(error) === null) throw error;
          failures.push(error);
        }
      }
      return failures;
    },

    async runAll(statements) {
      const failures: unknown[] = [];
      for (const statement of statements) {
        await run([statement]).catch((error: unknown) => failures.push(error));
      }
      if (failures.length > 0) throw failures[0];
    },
  };
}
