/**
 * A new data directory under construction, beside the real one.
 *
 * Invariant: `<data>.incoming` is removed only when the journal says that it is ours, and only after every process
 * that works in it has ended (a `pg_basebackup` outlives an agent that was killed, and so
 * may, for a file, what restores into it).
 */
import { existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';
import { ownProcesses, processesIn, readCommandLine } from '../process/identity.ts';
import { isMountPoint } from '../process/mount-point.ts';
import { sendSignal } from '../process/signal.ts';
import { readJournal, settleSwap, writeJournal } from './journal.ts';
import type { Layout } from './layout.ts';
import { type Deadline, waitFor } from './waiting.ts';

async function endBuilders(directory: string, clock: Clock, deadline: Deadline): Promise<void> {
  await waitFor(clock, deadline, `ending the processes that work in ${directory}`, 10, () => {
    const restores = ownProcesses((pid) => readCommandLine(pid).includes(`--pg1-path=${directory}`));
    const left = [...processesIn(directory), ...restores];
    for (const process of left) sendSignal(process, 'SIGKILL');
    return left.length === 0 ? true : undefined;
  });
}

/** Removes what an interrupted or failed attempt left. */
export async function abandonConstruction(layout: Layout, clock: Clock, deadline: Deadline): Promise<void> {
  const journal = await readJournal(layout);
  if (journal.entry.step !== 'building') return;
  await endBuilders(journal.entry.incoming, clock, deadline);
  await rm(journal.entry.incoming, { recursive: true, force: true });
  await writeJournal(layout, { ...journal, entry: { step: 'nothing' } });
}

/**
 * Makes the empty `<data>.incoming`. Throws DATA_DIRECTORY_FOREIGN when something is there that is not ours, and
 * DATA_DIRECTORY_MOUNTED when what is built could not be put in place.
 */
export async function beginConstruction(layout: Layout, clock: Clock, deadline: Deadline): Promise<void> {
  await settleSwap(layout);
  await abandonConstruction(layout, clock, deadline);
  if (isMountPoint(layout.data)) {
    throw new UnderstudyError('DATA_DIRECTORY_MOUNTED', `${layout.data} is a mount point, and can't be replaced`);
  }
  if (existsSync(layout.incoming)) {
    throw new UnderstudyError('DATA_DIRECTORY_FOREIGN', `${layout.incoming} exists and was not made by this agent`);
  }
  const journal = await readJournal(layout);
  await writeJournal(layout, { ...journal, entry: { step: 'building', incoming: layout.incoming } });
  await mkdir(layout.incoming, { mode: 0o700 });
}
