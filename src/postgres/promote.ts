/**
 * Promotes a standby (documentation 9.27.4, `pg_promote`) and returns when it accepts writes.
 *
 * Asked on a session that is open already and watched by asking that session again, because `pg_promote(true)` and
 * `pg_ctl` look only every 100 ms. Does not decide who may be promoted.
 */
import { z } from 'zod';
import type { Clock } from '../ports/clock.ts';
import type { Session } from './session.ts';
import { type Deadline, waitFor } from './waiting.ts';

const accepted = z.object({ accepted: z.boolean() });

/**
 * Promoting a server that is primary already does nothing. `isPrimary` looks as the agent's next look will, so that the
 * first statement after a promotion, which is slow, is not the one that all wait for.
 */
export async function promote(
  session: Session,
  isPrimary: (withinMs: number) => Promise<boolean>,
  clock: Clock,
  deadline: Deadline,
): Promise<void> {
  const answers = await session.query(
    { text: 'select case when pg_is_in_recovery() then pg_promote(false) else true end as accepted', row: accepted },
    Math.max(1, deadline.leftMs()),
  );
  if (answers[0]?.accepted !== true) deadline.check('promoting');
  await waitFor(clock, deadline, 'the server does not accept writes yet', 1, async () =>
    (await isPrimary(Math.max(1, deadline.leftMs()))) ? true : undefined,
  );
}
