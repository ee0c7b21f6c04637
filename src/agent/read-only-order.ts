/**
 * Carries out `read-only on` and `read-only off`: writes the record that has every pooler serve its writers from standbys, or
 * removes it. Poolers follow by the topology; nothing else of the cluster changes, and no agent decides by it.
 *
 * Invariant: compared with what was seen, so that of two orders at once one is told.
 */
import type { ReadOnlyRequest } from '../api/contract.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';
import { encodeRecord } from '../records/codecs.ts';
import { keys } from '../records/keys.ts';
import type { ExecutionContext } from './execution-context.ts';
import type { StoreMirror } from './store-mirror.ts';

interface ReadOnlyParts {
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
export async function orderReadOnly(
  { mirror, clock, signal, emit }: ReadOnlyParts,
  { on, reason }: ReadOnlyRequest,
  by: string,
): Promise<Answer> {
  const { readOnly: before } = mirror.image;
  const isUnreadable = mirror.image.unreadable.includes(keys.readOnly);
  if (!on && before === null && !isUnreadable) return { accepted: true, because: 'everybody may write already' };
  const value = encodeRecord('readOnly', { by, at: clock.wallClock().toISOString(), reason });
  const result = await mirror.transact(
    isUnreadable ? [] : [{ key: keys.readOnly, revision: before?.revision ?? 'absent' }],
    [on ? { key: keys.readOnly, value } : { key: keys.readOnly, remove: true }],
    { withinMs: writeWithinMs, signal },
  );
  if (!result.committed) throw new UnderstudyError('CONFLICT', 'somebody else changed it at the same time');
  if (on) emit('read_only.began', { by, reason: reason ?? 'no reason given' });
  else emit('read_only.ended', { by });
  return {
    accepted: true,
    because: on ? 'nobody may write: poolers serve from standbys' : 'everybody may write again',
  };
}
