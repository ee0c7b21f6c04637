/**
 * Refuses to take back a cluster whose lease moves: somebody renews it, and may write.
 *
 * The lease is looked at for longer than its term, as whoever would take it does: also one that can't be read. What was seen last is what
 * the store must still hold when it is told. That proves nothing of a holder who can't reach the store, unless it would need
 * the promise of this node, whose agent has ended before.
 */
import { lookAtStore, mayLiveWithout, movedBetween, type StoreLook } from '../by-hand/going-back.ts';
import type { Place } from '../by-hand/place.ts';
import type { NodeFile } from '../config/node-file.ts';
import { driftMs } from '../core/lease.ts';
import { declaredCandidates } from '../core/rules/candidates.ts';
import type { NodeName } from '../core/spec.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';
import type { Call } from './call.ts';
import { spanText } from './words.ts';

/** A renewal may be on its way. */
const marginMs = 2_000;

/** `to`: as it was written. Throws REFUSED, STORE_UNREACHABLE, STORE_DENIED. */
export async function requireStill(
  {
    call,
    clock,
    file,
    place,
  }: { readonly call: Call; readonly clock: Clock; readonly file: NodeFile; readonly place: Pick<Place, 'spec'> },
  to: string,
): Promise<StoreLook> {
  const { terminal } = call;
  const before = await lookAtStore(file, clock);
  if (before.systemIdentifier === null) {
    throw new UnderstudyError('REFUSED', 'the store knows no cluster: it is a new one', {
      hint: 'a cluster that is lost with its store: understudy recover',
    });
  }
  const { spec } = place.spec;
  const { ttlMs } = before.lease.value ?? spec.lease;
  const waitMs = ttlMs + driftMs(ttlMs) + marginMs;
  if (!terminal.json) terminal.print(`lease     looking for ${spanText(waitMs)} whether it moves`);
  await call.sleep(waitMs);
  call.signal.throwIfAborted();
  const after = await lookAtStore(file, clock);
  const moved = movedBetween(before, after);
  if (moved === null) {
    requireAsked(after, file.node, declaredCandidates(spec));
    return after;
  }
  throw new UnderstudyError('REFUSED', `the cluster lives: ${moved}`, {
    hint:
      to === 'latest'
        ? `to have ${file.node} restored as a standby: understudy reinit ${file.node} --from-backups`
        : 'stop every agent of the cluster first: docs/backups.md',
  });
}

function requireAsked(look: StoreLook, node: NodeName, declared: readonly NodeName[]): void {
  const living = mayLiveWithout(look, node, declared);
  if (living === null) return;
  const { candidates, holder } = living;
  throw new UnderstudyError(
    'REFUSED',
    `${holder} may live without the store, and without ${node}, which is no candidate of its lease`,
    { hint: `call it on ${[...new Set([holder, ...candidates])].join(' or ')}` },
  );
}
