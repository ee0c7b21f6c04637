/**
 * Carries out `read-only on` and `read-only off`: writes the record that has every pooler serve its writers from standbys, or
 * removes it. Poolers follow by the topology; nothing else of the cluster changes, and no agent decides by it.
 */
import type { Accepted, ReadOnlyRequest } from '../api/contract/orders.ts';
import { beginOrder, endOrder, type StandingOrderParts } from './standing-order.ts';

/** Throws CONFLICT when somebody else was quicker, STORE_UNREACHABLE when it is not known what became of it. */
export async function orderReadOnly(
  parts: StandingOrderParts,
  { on, reason }: ReadOnlyRequest,
  by: string,
): Promise<Accepted> {
  const { clock, emit } = parts;
  if (on) {
    await beginOrder(parts, 'readOnly', { by, at: clock.wallClock().toISOString(), reason });
    emit('read_only.began', { by, reason: reason ?? 'no reason given' });
    return { accepted: true, because: 'nobody may write: poolers serve from standbys' };
  }
  if (!(await endOrder(parts, 'readOnly'))) return { accepted: true, because: 'everybody may write already' };
  emit('read_only.ended', { by });
  return { accepted: true, because: 'everybody may write again' };
}
