import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hasContent, readJournal, removeKept, settleSwap, swap, writeJournal } from './journal.ts';
import { type Layout, layoutOf } from './layout.ts';

let home: string;
let layout: Layout;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'understudy-journal-'));
  const directory = (name: string) => join(home, name);
  layout = layoutOf({ data: directory('data'), run: home, log: home, state: home });
});
afterEach(() => rmSync(home, { recursive: true }));

function make(directory: string, what: string): void {
  mkdirSync(directory);
  writeFileSync(join(directory, 'which'), what);
}
const which = () => readFileSync(join(layout.data, 'which'), 'utf8');

describe('swap', () => {
  it('sets the old directory aside and keeps it until it is discarded', async () => {
    make(layout.data, 'old');
    make(layout.incoming, 'new');
    await swap(layout, 'plain');
    expect(which()).toBe('new');
    expect(hasContent(layout.kept(1))).toBe(true);
    make(layout.incoming, 'newer');
    await swap(layout, 'plain');
    expect(which()).toBe('newer');
    expect((await readJournal(layout)).kept).toEqual([layout.kept(1), layout.kept(2)]);
    await removeKept(layout);
    expect(existsSync(layout.kept(1)) || existsSync(layout.kept(2))).toBe(false);
  });

  it('is as if it had never begun when the old directory can not be set aside', async () => {
    make(layout.data, 'old');
    make(layout.incoming, 'new');
    symlinkSync(join(home, 'nowhere'), layout.kept(1)); // no directory can be renamed to it
    await expect(swap(layout, 'plain')).rejects.toThrow('ENOTDIR');
    expect((await readJournal(layout)).entry).toEqual({ step: 'building', incoming: layout.incoming });
    await settleSwap(layout);
    expect(which()).toBe('old');
    rmSync(layout.kept(1));
    await swap(layout, 'plain');
    expect(which()).toBe('new');
  });

  it('replaces an empty directory, and one that is not there', async () => {
    make(layout.incoming, 'new');
    mkdirSync(layout.data);
    await swap(layout, 'plain');
    expect(which()).toBe('new');
    expect(await readJournal(layout)).toEqual({ entry: { step: 'nothing' }, rewind: null, kept: [] });
  });
});

describe('a swap that was interrupted', () => {
  const entry = () => ({ step: 'swapping' as const, incoming: layout.incoming, aside: layout.kept(1) });
  const instants: Readonly<Record<string, () => void>> = {
    'before the first rename': () => undefined,
    'between the renames': () => renameSync(layout.data, layout.kept(1)),
    'after the second rename': () => {
      renameSync(layout.data, layout.kept(1));
      renameSync(layout.incoming, layout.data);
    },
  };

  it.each(Object.keys(instants))('%s is finished, once', async (instant) => {
    make(layout.data, 'old');
    make(layout.incoming, 'new');
    await writeJournal(layout, { entry: entry(), rewind: null, kept: [] });
    instants[instant]?.();
    await settleSwap(layout);
    await settleSwap(layout);
    expect(which()).toBe('new');
    expect(readFileSync(join(layout.kept(1), 'which'), 'utf8')).toBe('old');
    expect(await readJournal(layout)).toEqual({ entry: { step: 'nothing' }, rewind: null, kept: [layout.kept(1)] });
  });
});

it('a journal that can not be read stops everything', async () => {
  writeFileSync(layout.journal, '{"entry":');
  await expect(readJournal(layout)).rejects.toMatchObject({ code: 'BROKEN_INVARIANT' });
});
