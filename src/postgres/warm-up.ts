/**
 * Has the server do beforehand what would otherwise cost time in the middle of a move.
 *
 * Invariant: changes nothing, and holds no session open beyond the caller's own.
 */
import { createSession, type Session, type Where } from './session.ts';
import { isInRecovery } from './start.ts';
import { observeWalsenders } from './stop.ts';
import type { Deadline } from './waiting.ts';

/**
 * Connects, and lets the server prepare what a stop and a promotion ask, so that these lose no time: 3 ms at least.
 * Whether that works is for the act itself to say.
 */
export async function warmSession(session: Session, withinMs: number): Promise<void> {
  await isInRecovery(session, withinMs).catch(() => undefined);
  await observeWalsenders(session, withinMs);
}

/** The first session in a database writes its relation cache files, for which others would wait. */
export async function warmDatabases(where: Where, names: readonly string[], deadline: Deadline): Promise<void> {
  for (const database of names) {
    const session = createSession({ ...where, database });
    try {
      await session.execute('select', Math.max(1, deadline.leftMs()), deadline.signal);
    } finally {
      session.drop();
    }
  }
}
