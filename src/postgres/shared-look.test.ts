import { describe, expect, it } from 'vitest';
import { shareLooks } from './shared-look.ts';

/** Looks that end when they are told to. */
function looks() {
  const begun: { readonly ask: string; readonly end: (answer: string) => void; readonly fail: () => void }[] = [];
  const ask = shareLooks(
    (asked: string) =>
      new Promise<string>((resolve, reject) => {
        begun.push({ ask: asked, end: resolve, fail: () => reject(new Error('no')) });
      }),
  );
  return { begun, ask };
}

describe('shared looks', () => {
  it('are one at a time, and never older than the question', async () => {
    const { begun, ask } = looks();
    const first = ask('a');
    const later = [ask('b'), ask('c'), ask('d')];
    expect(begun.map((each) => each.ask)).toEqual(['a']);
    begun[0]?.end('one');
    expect(await first).toBe('one');
    await expect.poll(() => begun.map((each) => each.ask)).toEqual(['a', 'd']);
    const last = ask('e');
    begun[1]?.end('two');
    expect(await Promise.all(later)).toEqual(['two', 'two', 'two']);
    await expect.poll(() => begun.length).toBe(3);
    begun[2]?.end('three');
    expect(await last).toBe('three');
    const anew = ask('f');
    expect(begun.map((each) => each.ask)).toEqual(['a', 'd', 'e', 'f']);
    begun[3]?.end('four');
    expect(await anew).toBe('four');
  });

  it('go on after one that failed', async () => {
    const { begun, ask } = looks();
    const [first, second] = [ask('a'), ask('b')];
    begun[0]?.fail();
    await expect(first).rejects.toThrow('no');
    await expect.poll(() => begun.length).toBe(2);
    begun[1]?.end('two');
    expect(await second).toBe('two');
  });
});
