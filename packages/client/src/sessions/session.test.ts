import { describe, expect, it } from 'vitest';
import { parseLsn } from '../positions/lsn.ts';
import type { Position } from '../positions/position.ts';
import { parseToken } from '../positions/token.ts';
import { type Runtime, realRuntime } from '../timing/runtime.ts';
import { Session } from './session.ts';

function at(timeline: number, text: string): Position {
  const lsn = parseLsn(text);
  if (lsn === null) throw new Error(`${text} is no LSN`);
  return { timeline, lsn };
}
/** Is asked, and answers when the test says so. */
class Primary {
  readonly #waiting: ((position: Position | null) => void)[] = [];
  asked = 0;
  readonly ask = (): Promise<Position | null> => {
    this.asked += 1;
    return new Promise((resolve) => this.#waiting.push(resolve));
  };
  answer(position: Position | null): void {
    for (const resolve of this.#waiting.splice(0)) resolve(position);
  }
}
const causal = (token: string | null = null): Session =>
  new Session(token === null ? null : parseToken(token), 'causal', realRuntime);
const says = (position: Position | null) => async () => position;
const unasked = (): Promise<never> => Promise.reject(new Error('the primary was asked'));
const needs = (position: Position) => ({ is: 'position', position });

describe('a causal session', () => {
  it('that wrote nothing needs nothing, and asks nobody', async () => {
    expect(await causal().requirement(unasked)).toEqual({ is: 'anything' });
    expect(await causal('u1.1.0-9.').requirement(unasked)).toEqual(needs(at(1, '0/9')));
  });

  it('whose commit said where it ends asks nobody, and never goes back', async () => {
    const session = causal('u1.1.0-9.');
    session.committed(at(1, '0/5'));
    expect(await session.requirement(unasked)).toEqual(needs(at(1, '0/9')));
    session.committed(at(2, '0/5'));
    expect(await session.requirement(unasked)).toEqual(needs(at(2, '0/5')));
  });

  it('that wrote otherwise asks once for all who read at once, and none of them goes without', async () => {
    const [session, primary] = [causal(), new Primary()];
    session.checkedOut()();
    const reads = [session.requirement(primary.ask), session.requirement(primary.ask)];
    primary.answer(at(1, '0/9'));
    expect(await Promise.all(reads)).toEqual([needs(at(1, '0/9')), needs(at(1, '0/9'))]);
    expect(primary.asked).toBe(1);
    expect(await session.requirement(unasked)).toEqual(needs(at(1, '0/9')));
  });

  it('asks again for what was written while it asked', async () => {
    const [session, primary] = [causal(), new Primary()];
    session.checkedOut()();
    const first = session.requirement(primary.ask);
    session.checkedOut()();
    const second = session.requirement(primary.ask);
    primary.answer(at(1, '0/9'));
    await Promise.all([first, second]);
    expect(primary.asked).toBe(2);
  });

  it('asks each time while a connection is out', async () => {
    const session = causal();
    const returned = session.checkedOut();
    expect(await session.requirement(says(at(1, '0/5')))).toEqual(needs(at(1, '0/5')));
    expect(await session.requirement(says(at(1, '0/9')))).toEqual(needs(at(1, '0/9')));
    returned();
    expect(await session.requirement(says(at(1, '0/A')))).toEqual(needs(at(1, '0/A')));
    expect(await session.requirement(unasked)).toEqual(needs(at(1, '0/A')));
  });

  it('needs the primary while that says nothing, or is one that was left behind', async () => {
    const session = causal('u1.2.0-9.');
    session.committed(null);
    const open = { is: 'primary', because: 'open-ended' };
    expect(await session.requirement(says(null))).toEqual(open);
    expect(await session.requirement(says(at(1, '0/F')))).toEqual(open);
    expect(await session.requirement(says(at(2, '0/F')))).toEqual(needs(at(2, '0/F')));
  });

  it('hands on what it does not know either', async () => {
    const session = causal('u1.2.0-9.');
    session.committed(null);
    const token = await session.token(says(null));
    expect(token).toBe('u1.2.0-9.o');
    expect(await causal(token).requirement(says(at(2, '0/C')))).toEqual(needs(at(2, '0/C')));
    expect(await session.token(says(at(2, '0/B')))).toBe('u1.2.0-B.');
  });

  it('has written what was written within it', async () => {
    const outer = causal();
    const inner = new Session(null, 'any', realRuntime, outer);
    inner.committed(at(1, '0/9'));
    expect(await outer.requirement(unasked)).toEqual(needs(at(1, '0/9')));
    inner.checkedOut()();
    expect(await outer.requirement(says(at(1, '0/B')))).toEqual(needs(at(1, '0/B')));
    expect(await inner.requirement(unasked)).toEqual({ is: 'anything' });
  });
});

describe('a session that is pinned by time', () => {
  it('reads the primary for that long after its last write, and while a connection is out', async () => {
    let wallMs = 1_000;
    const runtime: Runtime = { ...realRuntime, wallMs: () => wallMs };
    const session = new Session(null, { pinForMs: 100 }, runtime);
    const pinned = { is: 'primary', because: 'pinned' };
    expect(await session.requirement(unasked)).toEqual({ is: 'anything' });
    const returned = session.checkedOut();
    wallMs = 5_000;
    expect(await session.requirement(unasked)).toEqual(pinned);
    returned();
    wallMs = 5_099;
    expect(await session.requirement(unasked)).toEqual(pinned);
    expect(await session.token(unasked)).toBe('u1.0..5100');
    wallMs = 5_100;
    expect(await session.requirement(unasked)).toEqual({ is: 'anything' });
  });
});
