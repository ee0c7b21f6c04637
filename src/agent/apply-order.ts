/**
 * Carries out `apply`: writes the spec as the next revision.
 *
 * Invariant: it is written only over the revision that the change was planned against, so that of two who apply at once one is
 * told. Agents converge towards it by themselves: nothing else is done here.
 */
import type { ApplyRequest } from '../api/contract/orders.ts';
import type { Spec } from '../core/spec.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { encodeRecord } from '../records/codecs.ts';
import { keys } from '../records/keys.ts';
import { handsAreOff } from './hands-off-order.ts';
import type { StandingOrderParts } from './standing-order.ts';

export interface ApplyOrderParts extends StandingOrderParts {
  readonly cluster: string;
  /** What the declaration's rules have against a spec that did not come through the command line; empty: nothing. */
  readonly disagreements: (spec: Spec) => Promise<readonly string[]>;
}

const writeWithinMs = 2_000;

/**
 * Throws REFUSED for another cluster's spec and while hands are off, CONFLICT when somebody else was quicker,
 * REQUEST_INVALID when the declaration's rules forbid it, STORE_UNREACHABLE when it is not known what became of it.
 */
export async function orderApply(
  { cluster, disagreements, mirror, clock, signal, emit }: ApplyOrderParts,
  { spec, baseRevision }: ApplyRequest,
  by: string,
): Promise<{ revision: number }> {
  const stored = mirror.image.spec;
  const current = stored?.value.revision ?? 0;
  if (spec.cluster !== cluster) {
    throw new UnderstudyError('REFUSED', `this agent belongs to cluster ${cluster}, the spec is for ${spec.cluster}`);
  }
  if (baseRevision !== current) {
    throw new UnderstudyError(
      'CONFLICT',
      `the spec is at revision ${current}, the change was planned against ${baseRevision}`,
    );
  }
  if (mirror.image.handsOff !== null) throw new UnderstudyError('REFUSED', handsAreOff);
  const [first, ...more] = await disagreements(spec);
  if (first !== undefined) throw new UnderstudyError('REQUEST_INVALID', [first, ...more].join('; '));
  const revision = current + 1;
  const appliedAt = clock.wallClock().toISOString();
  const result = await mirror.transact(
    [{ key: keys.spec, revision: stored?.revision ?? 'absent' }],
    [{ key: keys.spec, value: encodeRecord('spec', { revision, spec, appliedAt, appliedBy: by }) }],
    { withinMs: writeWithinMs, signal },
  );
  if (!result.committed) throw new UnderstudyError('CONFLICT', 'somebody else applied a spec at the same time');
  emit('spec.applied', { revision, by });
  return { revision };
}
