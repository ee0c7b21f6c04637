/**
 * Sees a new set of synchronous standbys in effect, and marks from where in the WAL it holds.
 *
 * Invariant: every commit that is acknowledged with its record behind the mark was waited for by the new set: the
 * postmaster, every process that acknowledges, and the checkpointer, which tells backends whether to wait at all, have
 * read the new names before the mark is taken. Writes no configuration; its caller has, and has signalled the reload.
 */
import { z } from 'zod';
import type { Lsn } from '../core/lsn.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';
import { lsn } from './facts.ts';
import { awaitReload } from './reload-effect.ts';
import { createSession, type Where } from './session.ts';
import { type Deadline, waitFor } from './waiting.ts';

const lookEveryMs = 2;
const insertPosition = { text: 'select pg_current_wal_insert_lsn()::text as mark', row: z.object({ mark: lsn }) };
/** In both of its waits the checkpointer has read its files just before; a checkpoint may be spread over minutes. */
const serverWaits = { walsender: ['WalSenderMain'], checkpointer: ['CheckpointerMain', 'CheckpointWriteDelay'] };
const syncNamesInUse = {
  text: "select current_setting('synchronous_standby_names') as names",
  row: z.object({ names: z.string() }),
};

export interface SyncStandbyChange {
  readonly where: Where;
  readonly clock: Clock;
  /** The new `synchronous_standby_names`. */
  readonly names: string;
  /** They are in effect. */
  changed(): void;
}

/** Throws POSTGRES_TIMEOUT, POSTGRES_FAILED. */
export async function markSyncStandbys(
  { where, clock, names, changed }: SyncStandbyChange,
  deadline: Deadline,
): Promise<{ readonly mark: Lsn }> {
  const left = () => Math.max(1, deadline.leftMs());
  const fresh = createSession(where);
  try {
    // What a session that begins now sees, the postmaster has read, and passed on.
    await waitFor(clock, deadline, 'the postmaster did not read its files', lookEveryMs, async () => {
      const session = createSession(where);
      try {
        const [row] = await session.query(syncNamesInUse, left());
        return row?.names === names ? true : undefined;
      } finally {
        session.drop();
      }
    });
    await awaitReload(fresh, serverWaits, clock, deadline);
    changed();
    const [row] = await fresh.query(insertPosition, left());
    if (row === undefined) throw new UnderstudyError('BROKEN_INVARIANT', 'the server answered without a row');
    // The position may lie behind a page header that is flushed only with the next record: here is one.
    await fresh.execute("select pg_logical_emit_message(true, 'understudy', 'durability')", left(), deadline.signal);
    return { mark: row.mark };
  } finally {
    fresh.drop();
  }
}
