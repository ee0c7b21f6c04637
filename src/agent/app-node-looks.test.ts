import { describe, expect, it } from 'vitest';
import type { LocalPooler } from '../ports/pooler.ts';
import { PoolerLooks } from './app-node-looks.ts';

const running: LocalPooler = {
  state: 'running',
  pid: 7,
  version: '1.24.1',
  paused: [],
  clients: 1,
  waiting: 0,
  straggling: [],
  formerClients: {},
};
const stopped: LocalPooler = { state: 'stopped' };
const unknown: LocalPooler = { state: 'unknown', because: 'no answer' };

/** A pooler that shows one thing after another; `gone`: the looks at which a process that ran was gone. */
function shown(...states: readonly LocalPooler[]) {
  const at = { ms: 0 };
  const coming = [...states];
  const clock = { boottimeMs: () => at.ms, wallClock: () => new Date(0), sleep: async () => {} };
  const looks = new PoolerLooks({ observe: async () => coming.shift() ?? unknown }, clock);
  const gone: boolean[] = [];
  const look = async (times = 1) => {
    for (let i = 0; i < times; i += 1) await looks.look((_, isGone) => gone.push(isGone));
  };
  return { at, looks, look, gone };
}

describe('a look at the pooler', () => {
  it('is owed at first, and stands for 2 s', async () => {
    const { at, looks, look } = shown(running);
    expect([looks.process, looks.isBlind, looks.isDue]).toEqual(['unknown', true, false]);
    await look();
    expect([looks.process, looks.isBlind, looks.isDue]).toEqual(['running', false, false]);
    at.ms = 1_999;
    expect(looks.isDue).toBe(false);
    at.ms = 2_000;
    expect(looks.isDue).toBe(true);
  });

  it('is not due while another is under way', async () => {
    const { at, looks, look } = shown(running, running);
    await look();
    at.ms = 2_000;
    const second = look();
    expect(looks.isDue).toBe(false);
    await second;
    expect(looks.isDue).toBe(false);
    at.ms = 4_000;
    expect(looks.isDue).toBe(true);
  });

  it('that shows nothing is owed again', async () => {
    const { looks, look } = shown(unknown);
    await look();
    expect(looks.isBlind).toBe(true);
  });

  it('that was forgotten is owed again, and stands until then; of what was lost nothing is known', async () => {
    const { looks, look } = shown(running);
    await look();
    looks.forget();
    expect([looks.process, looks.isBlind]).toEqual(['running', true]);
    looks.lost();
    expect([looks.process, looks.isBlind]).toEqual(['unknown', true]);
  });

  it.each<[string, LocalPooler[], boolean[]]>([
    ['ran', [running, stopped, stopped], [false, true, false]],
    ['ran, before nothing was known of it', [running, unknown, stopped], [false, false, true]],
    ['was not seen to run', [unknown, stopped], [false, false]],
  ])('tells once that a process is gone that %s', async (_, states, expected) => {
    const { look, gone } = shown(...states);
    await look(states.length);
    expect(gone).toEqual(expected);
  });
});
