/**
 * Promotes a standby (documentation 9.27.4, `pg_promote`) and returns when it accepts writes.
 *
 * Told by the fence, which looks at the lease's deadline at that moment, and watched by asking a session that is open
 * already, because `pg_promote(true)` and `pg_ctl` look only every 100 ms. That session may outlive its postmaster, and would
 * go on saying that the server is a standby; so the postmaster is looked at, too. Does not decide who may be promoted.
 */
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';
import type { Fence } from '../ports/fence.ts';
import { isAlive } from '../process/identity.ts';
import type { Layout } from './layout.ts';
import { findServer } from './postmaster-file.ts';
import { type Deadline, waitFor } from './waiting.ts';

/**
 * Promoting a server that is primary already does nothing. `isPrimary` looks as the agent's next look will, so that the
 * first statement after a promotion, which is slow, is not the one that all wait for.
 */
export async function promote(
  layout: Layout,
  fence: Pick<Fence, 'promote'>,
  isPrimary: (withinMs: number) => Promise<boolean>,
  clock: Clock,
  deadline: Deadline,
): Promise<void> {
  const left = () => Math.max(1, deadline.leftMs());
  if (await isPrimary(left())) return;
  const server = findServer(layout.data, layout.postmasterFile);
  if (server.alive !== 'postmaster') throw new UnderstudyError('POSTGRES_FAILED', 'there is no server to promote');
  await fence.promote(server.postmaster);
  await waitFor(clock, deadline, 'the server does not accept writes yet', 1, async () => {
    if (await isPrimary(left())) return true;
    if (!isAlive(server.postmaster)) throw new UnderstudyError('POSTGRES_FAILED', 'its postmaster ended meanwhile');
    return undefined;
  });
}
