/**
 * Carries one attempt through a transaction, and says how it ended.
 *
 * Invariant: COMMIT is sent once, and only after everything before it was answered. A commit that answers with a warning
 * is not taken for replicated: a wait for standbys that was cancelled ends in success with a warning (PostgreSQL
 * documentation 27.2.8.2; syncrep.c). A commit that answers ROLLBACK is a refusal.
 */
import type { CommitLevel, Ending } from '../history/attempt.ts';
import { isReplicated } from '../history/attempt.ts';
import { endingAfterCommit, endingBeforeCommit, isServerError } from './ending.ts';
import type { Session } from './session.ts';

const unconfirmed: Ending = {
  outcome: 'unknown',
  because: 'the commit was answered with a warning: its replication was not confirmed',
};
const rolledBack: Ending = { outcome: 'failed', because: 'the commit was answered with ROLLBACK' };

/** One statement that commits by itself, as the server does by default. */
export async function autocommit(session: Session, text: string, values: readonly unknown[]): Promise<Ending> {
  try {
    await session.query(text, values);
    return { outcome: 'ok' };
  } catch (error) {
    return endingAfterCommit(error);
  }
}

/** `statements` sends what belongs into the transaction. Never throws; a session that is of no further use is closed. */
export async function transact(session: Session, level: CommitLevel, statements: () => Promise<void>): Promise<Ending> {
  try {
    await session.query(`begin; set local synchronous_commit to ${level}`);
    await statements();
  } catch (error) {
    await leave(session, error);
    return endingBeforeCommit(error);
  }
  return await commit(session, level);
}

async function commit(session: Session, level: CommitLevel): Promise<Ending> {
  const warned = session.warnings();
  try {
    const { command } = await session.query('commit');
    if (command === 'ROLLBACK') return rolledBack;
    return isReplicated(level) && session.warnings() > warned ? unconfirmed : { outcome: 'ok' };
  } catch (error) {
    return endingAfterCommit(error);
  }
}

/** The first error has told what there is to tell. */
async function leave(session: Session, error: unknown): Promise<void> {
  if (!isServerError(error)) return session.close();
  try {
    await session.query('rollback');
  } catch {
    session.close();
  }
}
