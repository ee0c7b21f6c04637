/**
 * Carries out `hands-off`: writes the record that keeps every agent from acting, or removes it.
 *
 * Invariant: it is written only against the operation that was seen, so that no switchover begins in the same moment; one
 * that is under way refuses it.
 */
import type { Accepted, HandsOffRequest } from '../api/contract/orders.ts';
import { isUnderWay } from '../core/operation.ts';
import { keys } from '../records/keys.ts';
import { beginOrder, endOrder, type StandingOrderParts } from './standing-order.ts';

/** Why other orders are refused meanwhile. */
export const handsAreOff = 'hands are off: `understudy hands-off --off` first';

/** Throws CONFLICT when somebody else was quicker, STORE_UNREACHABLE when it is not known what became of it. */
export async function orderHandsOff(
  parts: StandingOrderParts,
  { forMs }: HandsOffRequest,
  by: string,
): Promise<Accepted> {
  return forMs === null ? await handsOn(parts, by) : await handsOff(parts, forMs, by);
}

async function handsOff(parts: StandingOrderParts, forMs: number, by: string): Promise<Accepted> {
  const { clock, mirror, emit } = parts;
  const { operation, lease } = mirror.image;
  if (lease === null) return { accepted: false, because: 'the cluster has not begun yet: nobody holds the lease' };
  if (operation !== null && isUnderWay(operation.value, lease.value)) {
    return { accepted: false, because: `switchover ${operation.value.id} is under way; it ends by itself` };
  }
  const record = { by, at: clock.wallClock().toISOString(), forMs, leftMs: forMs };
  await beginOrder(parts, 'handsOff', record, [{ key: keys.operation, revision: operation?.revision ?? 'absent' }]);
  emit('hands_off.began', { by, minutes: Math.round(forMs / 6_000) / 10 });
  return { accepted: true, because: 'hands are off: agents keep the lease and stay safe, and do nothing else' };
}

async function handsOn(parts: StandingOrderParts, by: string): Promise<Accepted> {
  if (!(await endOrder(parts, 'handsOff'))) return { accepted: true, because: 'hands were on already' };
  parts.emit('hands_off.ended', { because: `${by} asked for it` });
  return { accepted: true, because: 'hands are on: the automation acts again' };
}
