/**
 * Proves that a reload is in effect in chosen processes of the server.
 *
 * `SHOW` in a session proves it for that session only. A process has taken a reload when SIGHUP is no longer pending for
 * it and it sleeps in its own main wait: the handler sets the latch, so that a process which sleeps there has gone
 * through the part of its loop that reads the files (postmaster.c, walsender.c, checkpointer.c, startup.c of 13 to 18).
 * Seen twice, one look apart, so that the instant between the handler and the next turn of the loop is never mistaken.
 * Before that, a session that began after the reload shows that the postmaster itself has passed the signal on.
 */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import type { Clock } from '../ports/clock.ts';
import { readProcess } from '../process/identity.ts';
import type { Session } from './session.ts';
import { type Deadline, waitFor } from './waiting.ts';

const lookEveryMs = 10;
const sighup = 1n;

/**
 * The walsenders by which standbys acknowledge; `stopping` ones still do. Any other, such as that of a base backup, comes
 * through PostgresMain before it streams, where each command is preceded by a pending reload (postgres.c).
 */
const acknowledging = ['streaming', 'catchup', 'stopping'];

const waiter = z.object({ pid: z.number(), wait: z.string().nullable() });

/** Is the signal still on its way to that process? `null`: there is no such process. */
function isPending(pid: number): boolean | null {
  try {
    const text = readFileSync(`/proc/${pid}/status`, 'latin1');
    const masks = [...text.matchAll(/^(?:SigPnd|ShdPnd):\s*([0-9a-f]+)$/gm)].map(([, mask]) => BigInt(`0x${mask}`));
    return masks.some((mask) => (mask & sighup) !== 0n);
  } catch {
    return null;
  }
}

function sleeps(pid: number): boolean {
  return isPending(pid) === false && readProcess(pid)?.state === 'S';
}

/**
 * Returns when every process of these kinds (`backend_type`) was seen asleep in its main wait twice; those that end
 * meanwhile are no longer asked for, since whoever comes after reads the new files. Throws POSTGRES_TIMEOUT.
 */
export async function awaitReload(
  session: Session,
  mainWaits: Readonly<Record<string, readonly string[]>>,
  clock: Clock,
  deadline: Deadline,
): Promise<void> {
  const kinds = Object.keys(mainWaits);
  const text = `select a.pid, a.wait_event as wait, a.backend_type as kind
    from pg_stat_activity a left join pg_stat_replication r using (pid)
    where a.backend_type = any($1) and (a.backend_type <> 'walsender' or r.state = any($2))`;
  const row = z.object({ ...waiter.shape, kind: z.string() });
  const looks = new Map<number, number>();
  await waitFor(clock, deadline, 'a reload is not in effect everywhere', lookEveryMs, async () => {
    const processes = await session.query(
      { text, values: [kinds, acknowledging], row },
      Math.max(1, deadline.leftMs()),
    );
    for (const { pid, wait, kind } of processes) {
      const isAsleep = wait !== null && mainWaits[kind]?.includes(wait) === true && sleeps(pid);
      if (isAsleep) looks.set(pid, (looks.get(pid) ?? 0) + 1);
    }
    return processes.every(({ pid }) => (looks.get(pid) ?? 0) >= 2) ? true : undefined;
  });
}
