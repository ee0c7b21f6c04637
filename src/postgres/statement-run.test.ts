import pg from 'pg';
import { describe, expect, it } from 'vitest';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { runIn } from './statement-run.ts';

/** `deny`: the server refuses it. `lose`: the connection is lost at it. Each statement takes 1 ms of `leftMs`. */
function world(leftMs = 100) {
  const done: string[] = [];
  const session = {
    query: async () => [],
    async execute(statement: string) {
      leftMs -= 1;
      if (statement === 'deny') throw Object.assign(new pg.DatabaseError('no', 2, 'error'), { code: '42501' });
      if (statement === 'lose') throw new UnderstudyError('POSTGRES_FAILED', 'the connection is lost');
      done.push(statement);
    },
  };
  const deadline = {
    signal: new AbortController().signal,
    leftMs: () => leftMs,
    check() {
      if (leftMs <= 0) throw new UnderstudyError('POSTGRES_TIMEOUT', 'no time is left');
    },
  };
  return { run: runIn(session, deadline), done };
}

describe('statements of a plan', () => {
  it('are left undone behind one that is refused in the same group, and done in every other', async () => {
    const { run, done } = world();
    expect(await run.runEach([['a', 'deny', 'b'], ['c'], ['deny'], ['d']])).toHaveLength(2);
    expect(done).toEqual(['a', 'c', 'd']);
  });

  it('end altogether with the connection', async () => {
    const { run, done } = world();
    await expect(run.runEach([['a'], ['lose'], ['b']])).rejects.toMatchObject({ code: 'POSTGRES_FAILED' });
    expect(done).toEqual(['a']);
  });

  it('that close doors are all attempted before the first failure is told', async () => {
    const { run, done } = world();
    await expect(run.runAll(['a', 'deny', 'lose', 'b'])).rejects.toMatchObject({ code: '42501' });
    expect(done).toEqual(['a', 'b']);
  });

  it('are not begun when no time is left', async () => {
    const { run, done } = world(2);
    await expect(run.run(['a', 'b', 'c'])).rejects.toMatchObject({ code: 'POSTGRES_TIMEOUT' });
    expect(done).toEqual(['a', 'b']);
  });
});
