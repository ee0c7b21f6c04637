/**
 * What a rewind means for a start: one that was interrupted forbids it, and one that is done counts once the server has
 * come to a consistent state as a standby.
 */
import { UnderstudyError } from '../errors/understudy-error.ts';
import { readJournal, writeJournal } from './journal.ts';
import type { Layout } from './layout.ts';

/** Throws POSTGRES_FAILED. */
export async function requireStartable(layout: Layout, role: 'primary' | 'standby'): Promise<void> {
  const { rewind } = await readJournal(layout);
  if (rewind === null) return;
  if (rewind.step === 'begun') {
    throw new UnderstudyError('POSTGRES_FAILED', `a rewind of ${layout.data} was interrupted; it must be cloned`);
  }
  if (role === 'primary') {
    throw new UnderstudyError('POSTGRES_FAILED', `${layout.data} was rewound, and has not run as a standby since`);
  }
}

/** It runs as a standby that has come to a consistent state: the rewind is over. */
export async function endRewind(layout: Layout): Promise<void> {
  const journal = await readJournal(layout);
  if (journal.rewind !== null) await writeJournal(layout, { ...journal, rewind: null });
}

/** It did not start: then the rewind is worth nothing. Answers whether there was one. */
export async function spoilRewind(layout: Layout): Promise<boolean> {
  const journal = await readJournal(layout);
  if (journal.rewind === null) return false;
  await writeJournal(layout, { ...journal, rewind: { ...journal.rewind, step: 'begun' } });
  return true;
}
