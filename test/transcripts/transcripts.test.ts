/** Every transcript beside this file is played again; then the playing itself is tried. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { replay } from './transcript.ts';

const directory = import.meta.dirname;
const files = readdirSync(directory).filter((name) => name.endsWith('.txt'));

describe('what is decided is what was recorded', () => {
  it.each(files)('%s', async (name) => {
    const file = join(directory, name);
    await expect(await replay(name, readFileSync(file, 'utf8'))).toMatchFileSnapshot(file);
  });
});

describe('a transcript', () => {
  const released = readFileSync(join(directory, 'released-last-words.txt'), 'utf8');

  it.each([
    ['another reason', '(last-words)', '(lease-still)'],
    ['another time', '0.000 s', '0.001 s'],
    ['another act', 'do cut term 6', 'do cut term 7'],
    ['nothing at all', /\n {2}.*/g, ''],
  ])('that recorded %s is told from what is decided', async (_, right, wrong) => {
    const tampered = released.replace(right, wrong);
    expect(tampered).not.toBe(released);
    expect(await replay('x.txt', tampered)).toBe(released);
  });

  it.each([
    ['a typo', 'seen by db2\nthe agent starts\n\ndb1 released the lease\n', 'x.txt:4: no such sentence: db1 released'],
    ['no node', '# prose\nseen by web1\n', 'x.txt:2: first comes whose agent it is'],
    ['an end without its beginning', 'seen by db2\nthe agent starts\ncut is done\n', 'x.txt:3: no cut is under way'],
    ['a position that is none', 'seen by db2\nPostgreSQL has everything up to here\n', 'x.txt:2: not a position: here'],
    ['an agent that does not run', 'seen by db2\nweb1 serves db2\n', 'x.txt:2: the agent does not run yet'],
  ])('with %s names its line', async (_, text, message) => {
    await expect(replay('x.txt', text)).rejects.toThrow(message);
  });
});
