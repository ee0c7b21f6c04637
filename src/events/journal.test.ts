import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EventRecord } from './catalogue.ts';
import { createEventJournal } from './journal.ts';

const event = (sequence: number): EventRecord => ({
  sequence,
  at: '2026-11-19T14:00:00Z',
  node: 'pg0',
  name: 'postgres.initialised',
  facts: { node: 'pg0' },
});
const numbers = (events: readonly EventRecord[]) => events.map(({ sequence }) => sequence);

describe('the journal of events', () => {
  it('answers what came after a number, oldest first', () => {
    const journal = createEventJournal();
    expect(journal.last).toBe(0);
    expect(journal.take([event(2), event(1), event(3)])).toBe(3);
    expect(numbers(journal.after(0))).toEqual([1, 2, 3]);
    expect(numbers(journal.after(2))).toEqual([3]);
    expect(journal.after(3)).toEqual([]);
    expect(journal.last).toBe(3);
  });

  it('keeps the newest, and does not take for new what it has dropped', () => {
    const journal = createEventJournal(2);
    journal.take([event(1), event(2), event(3)]);
    expect(journal.take([event(1)])).toBe(0);
    expect(numbers(journal.after(0))).toEqual([2, 3]);
  });

  it('takes each number once and tells each listener once, in whatever order and pieces they come', () => {
    fc.assert(
      fc.property(fc.array(fc.array(fc.integer({ min: 1, max: 40 }))), (pieces) => {
        const journal = createEventJournal(100);
        const heard: number[] = [];
        journal.onEvent(({ sequence }) => heard.push(sequence));
        for (const piece of pieces) journal.take(piece.map(event));
        const all = [...new Set(pieces.flat())].sort((a, b) => a - b);
        expect(numbers(journal.after(0))).toEqual(all);
        expect(heard.toSorted((a, b) => a - b)).toEqual(all);
      }),
    );
  });

  it('tells nobody who has left', () => {
    const journal = createEventJournal();
    const heard: number[] = [];
    const stop = journal.onEvent(({ sequence }) => {
      heard.push(sequence);
      stop();
    });
    journal.take([event(1)]);
    journal.take([event(2)]);
    expect(heard).toEqual([1]);
  });
});
