/**
 * Carries out `hands-off`: writes the record that keeps every agent from acting, or removes it.
 *
 * Invariant: it is written only against the operation that was seen, so that no switchover begins in the same moment; one
 * that is under way refuses it.
 */
import type { HandsOffRequest } from '../api/contract.ts';
import { isUnderWay } from '../core/operation.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';
import { encodeRecord } from '../records/codecs.ts';
import { keys } from '../records/keys.ts';
import type { ExecutionContext } from './execution-context.ts';
import type { StoreMirror } from './store-mirror.ts';

export interface HandsOffParts {
  readonly clock: Clock;
  readonly mirror: Pick<StoreMirror, 'image' | 'transact'>;
  readonly signal: AbortSignal;
  readonly emit: ExecutionContext['emit'];
}

interface Answer {
  readonly accepted: boolean;
  readonly because: string;
}

const writeWithinMs = 2_000;

/** Throws CONFLICT when somebody else was quicker, STORE_UNREACHABLE when it is not known what became of it. */
export async function orderHandsOff(parts: HandsOffParts, { forMs }: HandsOffRequest, by: string): Promise<Answer> {
  return forMs === null ? await handsOn(parts, by) : await handsOff(parts, forMs, by);
}

async function handsOff({ mirror, clock, signal, emit }: HandsOffParts, forMs: number, by: string): Promise<Answer> {
  const { handsOff: before, operation, lease } = mirror.image;
  if (lease === null) return { accepted: false, because: 'the cluster has not begun yet: nobody holds the lease' };
  if (operation !== null && isUnderWay(operation.value, lease.value)) {
    return { accepted: false, because: `switchover ${operation.value.id} is under way; it ends by itself` };
  }
  const record = { by, at: clock.wallClock().toISOString(), forMs, leftMs: forMs };
  const result = await mirror.transact(
    [
      { key: keys.handsOff, revision: before?.revision ?? 'absent' },
      { key: keys.operation, revision: operation?.revision ?? 'absent' },
    ],
    [{ key: keys.handsOff, value: encodeRecord('handsOff', record) }],
    { withinMs: writeWithinMs, signal },
  );
  if (!result.committed) throw new UnderstudyError('CONFLICT', 'somebody else changed the cluster at the same time');
  emit('hands_off.began', { by, minutes: Math.round(forMs / 6_000) / 10 });
  return { accepted: true, because: 'hands are off: agents keep the lease and stay safe, and do nothing else' };
}

async function handsOn({ mirror, signal, emit }: HandsOffParts, by: string): Promise<Answer> {
  const { handsOff: before } = mirror.image;
  const isUnreadable = mirror.image.unreadable.includes(keys.handsOff);
  if (before === null && !isUnreadable) return { accepted: true, because: 'hands were on already' };
  const result = await mirror.transact(
    before === null ? [] : [{ key: keys.handsOff, revision: before.revision }],
    [{ key: keys.handsOff, remove: true }],
    { withinMs: writeWithinMs, signal },
  );
  if (!result.committed) throw new UnderstudyError('CONFLICT', 'somebody else changed it at the same time');
  emit('hands_off.ended', { because: `${by} asked for it` });
  return { accepted: true, because: 'hands are on: the automation acts again' };
}
