/**
 * Refuses to take back a cluster whose lease moves: somebody renews it, and may write.
 *
 * The lease is looked at for longer than its term, as whoever would take it does. What was seen last is what the store must still hold
 * when it is told.
 */
import { lookAtStore, movedBetween, type StoreLook } from '../by-hand/going-back.ts';
import type { NodeFile } from '../config/node-file.ts';
import { driftMs } from '../core/lease.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';
import type { Call } from './call.ts';
import { spanText } from './words.ts';

/** A renewal may be on its way. */
const marginMs = 2_000;

/** `to`: as it was written. Throws REFUSED, STORE_UNREACHABLE, STORE_DENIED. */
export async function requireStill(
  { call, clock, file }: { readonly call: Call; readonly clock: Clock; readonly file: NodeFile },
  to: string,
): Promise<StoreLook> {
  const { terminal } = call;
  const before = await lookAtStore(file, clock);
  if (before.systemIdentifier === null) {
    throw new UnderstudyError('REFUSED', 'the store knows no cluster: it is a new one', {
      hint: 'a cluster that is lost with its store: understudy recover',
    });
  }
  const { value } = before.lease;
  const waitMs = value === null ? 0 : value.ttlMs + driftMs(value.ttlMs) + marginMs;
  if (!terminal.json && waitMs > 0) terminal.print(`lease     looking for ${spanText(waitMs)} whether it moves`);
  await call.sleep(waitMs);
  call.signal.throwIfAborted();
  const after = await lookAtStore(file, clock);
  const moved = movedBetween(before, after);
  if (moved === null) return after;
  throw new UnderstudyError('REFUSED', `the cluster lives: ${moved}`, {
    hint:
      to === 'latest'
        ? `to have ${file.node} restored as a standby: understudy reinit ${file.node} --from-backups`
        : 'stop every agent of the cluster first: docs/backups.md',
  });
}
