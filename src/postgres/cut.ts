/**
 * Cuts a standby off from its upstream, so that it acknowledges nothing any more (PROTOCOLS, "cut(term)").
 *
 * Clearing the setting is not enough: with replay paused, a recovery conflict or an apply delay the WAL receiver lived
 * on for seconds and acknowledged a commit. So the receiver is ended by signal, found through /proc because
 * `pg_stat_wal_receiver` hides one that still connects; the startup process, which would start another, is seen to have
 * taken the reload. What does not come about within `patienceMs` is had by a restart without an upstream.
 * The durable record of the cut is the caller's, and comes first.
 */
import type { Clock } from '../ports/clock.ts';
import { processesIn, readCommandLine } from '../process/identity.ts';
import { sendSignal } from '../process/signal.ts';
import type { Layout } from './layout.ts';
import { findServer } from './postmaster-file.ts';
import { awaitReload } from './reload-effect.ts';
import { createSession } from './session.ts';
import { type Deadline, deadlineOf } from './waiting.ts';

const patienceMs = 300;
const lookEveryMs = 5;

function receivers(data: string) {
  return processesIn(data).filter(({ pid }) => /\bwalreceiver\b/.test(readCommandLine(pid)[0] ?? ''));
}

/** Ends every WAL receiver until none is left; answers how many there were. */
async function endReceivers(data: string, clock: Clock, deadline: Deadline): Promise<void> {
  for (;;) {
    const found = receivers(data);
    if (found.length === 0) return;
    for (const process of found) {
      sendSignal(process, 'SIGTERM');
      sendSignal(process, 'SIGCONT'); // one that was stopped by a signal would keep its connection
    }
    deadline.check('ending the WAL receiver');
    await clock.sleep(lookEveryMs);
  }
}

/**
 * The running standby's files name no upstream any more. Answers whether it is cut off without a restart; `false`:
 * only a restart will do.
 */
export async function cutByReload(
  context: { readonly layout: Layout; readonly port: number; readonly clock: Clock },
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const { layout, clock } = context;
  const server = findServer(layout.data, layout.postmasterFile);
  if (server.alive !== 'postmaster' || server.frozen) return false;
  const deadline = deadlineOf(clock, { withinMs: patienceMs, ...(signal === undefined ? {} : { signal }) });
  sendSignal(server.postmaster, 'SIGHUP');
  // A session that begins now shows what the postmaster has read, and thus passed on to its children.
  const session = createSession({ socketDirectory: layout.run, port: context.port });
  try {
    await endReceivers(layout.data, clock, deadline);
    await session.execute('select', Math.max(1, deadline.leftMs()));
    await awaitReload(session, { startup: ['RecoveryRetrieveRetryInterval'] }, clock, deadline);
    await endReceivers(layout.data, clock, deadline);
    return receivers(layout.data).length === 0;
  } catch {
    return false; // not in time, or the server does not answer: the restart settles it
  } finally {
    session.drop();
  }
}
