/**
 * A person's order that stands in the store until it is ended: its record is written, or removed.
 *
 * Invariant: it is compared with what was seen, so that of two orders at once one is told. One that can't be read is
 * known by nobody, and may be overwritten or removed.
 */
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';
import type { StoreCondition } from '../ports/store.ts';
import { encodeRecord, type Records } from '../records/codecs.ts';
import { keys } from '../records/keys.ts';
import type { ExecutionContext } from './execution-context.ts';
import type { StoreMirror } from './store-mirror.ts';

export interface StandingOrderParts {
  readonly clock: Clock;
  readonly mirror: Pick<StoreMirror, 'image' | 'transact'>;
  readonly signal: AbortSignal;
  readonly emit: ExecutionContext['emit'];
}

type OrderName = 'readOnly' | 'handsOff';

const writeWithinMs = 2_000;

/** Throws CONFLICT when somebody else was quicker, STORE_UNREACHABLE when it is not known what became of it. */
export async function beginOrder<K extends OrderName>(
  parts: StandingOrderParts,
  name: K,
  value: Records[K],
  also: readonly StoreCondition[] = [],
): Promise<void> {
  const { mirror, signal } = parts;
  const result = await mirror.transact(
    [...conditions(parts, name), ...also],
    [{ key: keys[name], value: encodeRecord(name, value) }],
    { withinMs: writeWithinMs, signal },
  );
  if (!result.committed) throw new UnderstudyError('CONFLICT', 'somebody else changed the cluster at the same time');
}

/** Answers whether there was one. Throws as `beginOrder` does. */
export async function endOrder(parts: StandingOrderParts, name: OrderName): Promise<boolean> {
  const { mirror, signal } = parts;
  if (mirror.image[name] === null && !isUnreadable(parts, name)) return false;
  const result = await mirror.transact(conditions(parts, name), [{ key: keys[name], remove: true }], {
    withinMs: writeWithinMs,
    signal,
  });
  if (!result.committed) throw new UnderstudyError('CONFLICT', 'somebody else changed it at the same time');
  return true;
}

function conditions(parts: StandingOrderParts, name: OrderName): readonly StoreCondition[] {
  if (isUnreadable(parts, name)) return [];
  return [{ key: keys[name], revision: parts.mirror.image[name]?.revision ?? 'absent' }];
}

function isUnreadable({ mirror }: StandingOrderParts, name: OrderName): boolean {
  return mirror.image.unreadable.includes(keys[name]);
}
