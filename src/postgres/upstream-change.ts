/**
 * Points a running standby at another upstream, without a restart.
 *
 * Invariant: returns only when the server itself shows the new upstream and slot as its settings. Does not wait until it
 * streams from there; that is for whoever observes it.
 */
import { z } from 'zod';
import type { Clock } from '../ports/clock.ts';
import type { Layout } from './layout.ts';
import type { Session } from './session.ts';
import { type Followed, type Reach, upstreamConninfo, writeUpstream } from './upstream.ts';
import { type Deadline, waitFor } from './waiting.ts';

const lookEveryMs = 2;
const conninfoRow = z.object({ conninfo: z.string(), slot: z.string(), archive: z.string() });

export interface UpstreamChange {
  readonly layout: Layout;
  readonly session: Session;
  readonly clock: Clock;
  readonly reach: Reach;
  /** What was diagnosed of the stream so far is no longer of use. */
  forgetDiagnosis(): void;
  /** Makes the server read its files. */
  reload(): void;
}

/** Answers whether it had another one before. Throws POSTGRES_TIMEOUT. */
export async function pointAt(
  { layout, session, clock, reach, forgetDiagnosis, reload }: UpstreamChange,
  followed: Followed,
  deadline: Deadline,
): Promise<boolean> {
  const { restoreCommand, slot, upstream } = followed;
  const isInUse = async (): Promise<boolean> => {
    const row = await upstreamInUse(session, deadline);
    return (
      row?.conninfo === upstreamConninfo(upstream, reach) && row.slot === slot && row.archive === (restoreCommand ?? '')
    );
  };
  // Written before, perhaps by an agent that died before it could signal.
  if (!(await writeUpstream(layout.data, followed, reach)) && (await isInUse())) return false;
  forgetDiagnosis();
  reload();
  await waitFor(clock, deadline, 'the server did not take its new upstream', lookEveryMs, async () =>
    (await isInUse()) ? true : undefined,
  );
  return true;
}

async function upstreamInUse(session: Session, deadline: Deadline): Promise<z.infer<typeof conninfoRow> | undefined> {
  const text = `select current_setting('primary_conninfo') as conninfo, current_setting('primary_slot_name') as slot,
    current_setting('restore_command') as archive`;
  const [row] = await session.query(
    { text, row: conninfoRow, prepareAs: 'understudy_upstream' },
    Math.max(1, deadline.leftMs()),
  );
  return row;
}
