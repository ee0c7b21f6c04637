/**
 * One look at a time, whoever asks.
 *
 * Invariant: an answer was begun after it was asked for, so that whoever has just changed something sees it. Who asks while a
 * look is under way shares the next one with everybody else who does.
 */
import type { ApplicationRole } from '../core/application-roles.ts';
import type { DatabaseSpec } from '../core/spec.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';
import type { Postgres } from '../ports/postgres.ts';
import type { DatabaseApplier } from './databases.ts';
import { deadlineOf, within } from './waiting.ts';

interface Ask {
  readonly wanted: readonly DatabaseSpec[];
  readonly applications: readonly ApplicationRole[];
  readonly withinMs: number;
}

/** Each waits for as long as he has time. */
export function sharedLook(databases: Pick<DatabaseApplier, 'look'>, clock: Clock): Postgres['databaseState'] {
  // Without the signal of whoever asked: others may wait for the same look when he has gone.
  const look = shareLooks(({ wanted, applications, withinMs }: Ask) =>
    databases.look(wanted, applications, deadlineOf(clock, { withinMs })),
  );
  return async (wanted, applications, { withinMs, signal }) => {
    const state = await within(withinMs, look({ wanted, applications, withinMs }), signal);
    if (state !== null) return state;
    throw new UnderstudyError('POSTGRES_TIMEOUT', `looking at the databases: not within ${withinMs} ms`);
  };
}

export function shareLooks<Ask, Answer>(look: (ask: Ask) => Promise<Answer>): (ask: Ask) => Promise<Answer> {
  let running: Promise<unknown> | null = null;
  let next: { ask: Ask; readonly answer: Promise<Answer> } | null = null;

  const begin = (ask: Ask): Promise<Answer> => {
    const answer = look(ask);
    const ended = answer.catch(() => undefined);
    running = ended;
    void ended.then(() => {
      if (running === ended) running = null;
    });
    return answer;
  };

  return (ask) => {
    if (next !== null) {
      // The newest question is the one whose answer is still wanted.
      next.ask = ask;
      return next.answer;
    }
    if (running === null) return begin(ask);
    const answer = running.then(() => {
      const asked = next?.ask ?? ask;
      next = null;
      return begin(asked);
    });
    next = { ask, answer };
    return answer;
  };
}
