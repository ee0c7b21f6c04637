import { describe, expect, it } from 'vitest';
import type { PromiseRecord } from '../core/promise.ts';
import { PromiseBinding } from './promise-binding.ts';

const now = { nowMs: 5_000, bootId: 'boot-1' };
const cut = (term: number): PromiseRecord => ({ kind: 'cut', term });

/** A disk that takes a record only when it is let, and then as it is told. */
function slowDisk(first: PromiseRecord = { kind: 'none' }) {
  const asked: { readonly record: PromiseRecord; settle(error?: Error): void }[] = [];
  const write = (record: PromiseRecord) =>
    new Promise<void>((resolve, reject) => {
      asked.push({ record, settle: (error) => (error === undefined ? resolve() : reject(error)) });
    });
  return { asked, binding: new PromiseBinding({ read: () => first, write }, () => now) };
}

describe('what a node has bound itself to', () => {
  it('is what its disk says, and a change only once it is there', async () => {
    const { binding, asked } = slowDisk(cut(3));
    const changed = binding.change(() => cut(4));
    await expect.poll(() => asked.length).toBe(1);
    expect(binding.record).toEqual(cut(3));
    asked[0]?.settle();
    expect(await changed).toEqual(cut(4));
    expect(binding.record).toEqual(cut(4));
  });

  it('changes one after another: the second sees what the first has made of it', async () => {
    const { binding, asked } = slowDisk();
    const seen: PromiseRecord[] = [];
    const bind = (term: number) =>
      binding.change((record, at) => {
        expect(at).toEqual(now);
        seen.push(record);
        return cut(term);
      });
    const both = [bind(4), bind(5)];
    await expect.poll(() => asked.length).toBe(1);
    expect(seen).toEqual([{ kind: 'none' }]);
    asked[0]?.settle();
    await expect.poll(() => asked.length).toBe(2);
    asked[1]?.settle();
    await Promise.all(both);
    expect(seen).toEqual([{ kind: 'none' }, cut(4)]);
  });

  it('stays as it was when a change is refused or can not be written, and goes on to the next', async () => {
    const { binding, asked } = slowDisk(cut(3));
    expect(await binding.change(() => null)).toBeNull();
    const failed = binding.change(() => cut(4));
    const next = binding.change((record) => cut(record.kind === 'cut' ? record.term + 10 : 0));
    await expect.poll(() => asked.length).toBe(1);
    asked[0]?.settle(new Error('the disk is full'));
    await expect(failed).rejects.toThrow('the disk is full');
    await expect.poll(() => asked.length).toBe(2);
    asked[1]?.settle();
    expect(await next).toEqual(cut(13));
  });
});
