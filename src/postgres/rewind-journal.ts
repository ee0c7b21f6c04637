/**
 * What a rewind means for a start: one that was interrupted forbids it, and one that is done counts once the server has
 * come to a consistent state as a standby.
 */
import { UnderstudyError } from '../errors/understudy-error.ts';
import { readJournal, writeJournal } from './journal.ts';
import type { Layout } from './layout.ts';
import type { Deadline } from './waiting.ts';

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

/** `nothing`: it runs, and the entry goes. `begun`: it did not start, so the rewind is worth nothing. */
export async function settleRewind(layout: Layout, to: 'nothing' | 'begun', deadline: Deadline): Promise<void> {
  const journal = await readJournal(layout);
  if (journal.rewind === null) return;
  // Who was cancelled has learnt nothing.
  if (to === 'begun' && deadline.signal?.aborted === true) return;
  const rewind = to === 'nothing' ? null : { ...journal.rewind, step: to };
  await writeJournal(layout, { ...journal, rewind });
}
