/**
 * A build that writes down how far it is. Nobody watches it: while nobody may write it waits, longer each time, and only when
 * that takes too long it gives up, and says so by its exit code.
 */
import { type ClusterPool, ReadOnlyModeError } from '@understudy/client';

/** Minutes, for a build that runs for an hour. */
const patienceMs = 15 * 60_000;

export async function build(
  db: ClusterPool,
  name: string,
  steps: readonly string[],
  withinMs = patienceMs,
): Promise<number> {
  try {
    for (const state of steps) {
      const note = 'INSERT INTO builds VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET state = excluded.state';
      await db.tx((t) => t.query(note, [name, state]), { onReadOnly: 'wait', deadlineMs: withinMs });
    }
    return 0;
  } catch (error) {
    if (!(error instanceof ReadOnlyModeError)) throw error;
    console.error(`build ${name} was given up: ${error.message}`);
    return 1;
  }
}
