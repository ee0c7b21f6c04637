/**
 * Ends the work on the repository that is under way, because somebody wants it to end.
 *
 * Invariant: only the node that does it says that it has ended, so that nobody begins anything beside a program that still runs. What no
 * node has taken yet ends at once.
 */
import { type BackupRun, isEnded } from '../core/backup-run.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { StoreWrite } from '../ports/store.ts';
import { encodeRecord } from '../records/codecs.ts';
import { endedRunKey, keys } from '../records/keys.ts';
import type { StandingOrderParts } from './standing-order.ts';

const writeWithinMs = 2_000;
/** Its node shows every few seconds how far it is, which changes the record. */
const mostAttempts = 5;

/** `id`: of the run that is meant. Throws REFUSED where that is not under way, CONFLICT, STORE_UNREACHABLE. */
export async function cancelBackup(parts: StandingOrderParts, id: string, by: string): Promise<BackupRun> {
  const { mirror, signal } = parts;
  for (let attempt = 1; attempt <= mostAttempts; attempt += 1) {
    const run = mirror.image.backupRun;
    if (run === null || run.value.id !== id || isEnded(run.value)) {
      throw new UnderstudyError('REFUSED', `${id} is not under way`, { hint: 'understudy backup list' });
    }
    const next = cancelled(parts, run.value, by);
    const value = encodeRecord('backup-run', next);
    const writes: StoreWrite[] = [{ key: keys.backupRun, value }];
    if (isEnded(next)) writes.push({ key: endedRunKey(next.work), value });
    const conditions = [{ key: keys.backupRun, revision: run.revision }];
    const { committed } = await mirror.transact(conditions, writes, { withinMs: writeWithinMs, signal });
    if (!committed) continue;
    const { node, work } = next;
    if (isEnded(next)) parts.emit('backup.cancelled', { run: id, work, node, by });
    return next;
  }
  throw new UnderstudyError('CONFLICT', `${id} was changed by somebody else each time`);
}

function cancelled({ clock }: StandingOrderParts, run: BackupRun, by: string): BackupRun {
  const next: BackupRun = { ...run, counter: run.counter + 1, cancelledBy: by };
  if (run.state === 'running') return next;
  return { ...next, state: 'failed', outcome: `cancelled by ${by}`, endedAt: clock.wallClock().toISOString() };
}
