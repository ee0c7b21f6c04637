/** A session that plays a script: what a transaction sends in which order, and what it makes of the answers. */
import { DatabaseError } from 'pg';
import { describe, expect, it } from 'vitest';
import type { CommitLevel } from '../history/attempt.ts';
import type { Answer, Session } from './session.ts';
import { autocommit, transact } from './transaction.ts';

class ScriptedSession implements Session {
  readonly sent: string[] = [];
  #open = true;
  #warnings = 0;
  readonly #answers: Readonly<Record<string, Error | 'ROLLBACK' | 'warned'>>;

  constructor(answers: Readonly<Record<string, Error | 'ROLLBACK' | 'warned'>> = {}) {
    this.#answers = answers;
  }

  query(text: string): Promise<Answer> {
    const statement = text.split(/[ ;]/, 1)[0] ?? '';
    this.sent.push(statement);
    const answer = this.#answers[statement];
    if (answer instanceof Error) return Promise.reject(answer);
    if (answer === 'warned') this.#warnings += 1;
    return Promise.resolve({ rows: [], rowCount: 0, command: answer === 'ROLLBACK' ? answer : statement });
  }

  isOpen(): boolean {
    return this.#open;
  }

  warnings(): number {
    return this.#warnings;
  }

  close(): void {
    this.#open = false;
  }
}

const refusal = Object.assign(new DatabaseError('no', 2, 'error'), { severity: 'ERROR', code: '40001' });
const broken = new Error('Connection terminated unexpectedly');

async function carriedOut(session: ScriptedSession, level: CommitLevel = 'on') {
  const { outcome } = await transact(session, level, async () => void (await session.query('insert')));
  return { outcome, sent: session.sent.join(' '), open: session.isOpen() };
}

describe('a transaction', () => {
  it('is done when its commit is answered', async () => {
    expect(await carriedOut(new ScriptedSession())).toEqual({
      outcome: 'ok',
      sent: 'begin insert commit',
      open: true,
    });
  });

  it('that is refused before its commit has failed, and leaves the session usable', async () => {
    expect(await carriedOut(new ScriptedSession({ insert: refusal }))).toEqual({
      outcome: 'failed',
      sent: 'begin insert rollback',
      open: true,
    });
  });

  it('whose connection breaks before its commit has failed, and sends nothing more', async () => {
    expect(await carriedOut(new ScriptedSession({ insert: broken }))).toEqual({
      outcome: 'failed',
      sent: 'begin insert',
      open: false,
    });
    expect(await carriedOut(new ScriptedSession({ insert: refusal, rollback: broken }))).toMatchObject({ open: false });
  });

  it.each([
    ['refused', refusal, 'failed'],
    ['answered with ROLLBACK', 'ROLLBACK', 'failed'],
    ['not answered', broken, 'unknown'],
  ] as const)('whose commit is %s', async (_, answer, outcome) => {
    expect(await carriedOut(new ScriptedSession({ commit: answer }))).toMatchObject({
      outcome,
      sent: 'begin insert commit',
    });
  });

  it('is not taken for replicated when its commit came with a warning', async () => {
    expect(await carriedOut(new ScriptedSession({ commit: 'warned' }))).toMatchObject({ outcome: 'unknown' });
    expect(await carriedOut(new ScriptedSession({ commit: 'warned' }), 'local')).toMatchObject({ outcome: 'ok' });
    // Of a statement before it.
    expect(await carriedOut(new ScriptedSession({ insert: 'warned' }))).toMatchObject({ outcome: 'ok' });
  });

  it('of one statement has failed when that is refused, and is unknown when it is not answered', async () => {
    const outcomes = [{}, { insert: refusal }, { insert: broken }].map(
      async (answers) => (await autocommit(new ScriptedSession(answers), 'insert', [])).outcome,
    );
    expect(await Promise.all(outcomes)).toEqual(['ok', 'failed', 'unknown']);
  });
});
