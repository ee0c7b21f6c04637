/**
 * A queue worker: each job is done once, whatever happens between its COMMIT and the answer. It waits while nobody may
 * write, and takes its jobs where they are: on the primary.
 */
import type { ClusterPool, Transaction } from '@understudy/client';

/** `true`: a job was done. `false`: there was none. */
export async function doOneJob(db: ClusterPool): Promise<boolean> {
  return await db.tx(
    async (t: Transaction) => {
      const take = 'SELECT id, article FROM jobs WHERE done_at IS NULL ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED';
      const [job] = (await t.query<{ id: string; article: string }>(take)).rows;
      if (job === undefined) return false;
      await t.query('INSERT INTO orders (article) VALUES ($1)', [job.article]);
      await t.query('UPDATE jobs SET done_at = now() WHERE id = $1', [job.id]);
      return true;
    },
    { onReadOnly: 'wait', deadlineMs: 60_000 },
  );
}

/** A job that is handed over by somebody else, perhaps twice: its own number is the key. */
export async function doHandedJob(db: ClusterPool, number: string, article: string): Promise<void> {
  await db.tx((t) => t.query('INSERT INTO orders (article) VALUES ($1)', [article]), {
    idempotencyKey: `job ${number}`,
    durability: 'on',
    onReadOnly: 'wait',
    deadlineMs: 60_000,
  });
}
