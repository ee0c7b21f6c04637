/**
 * One compare-and-set transaction as etcd's Txn (etcd documentation: "KV API, Transaction"), and what may be concluded
 * when it had to be sent twice.
 *
 * An attempt without an answer may have been carried out, or may be later. It may be repeated only when one of its
 * conditions names the exact revision of a key that it also writes: then whichever of the copies comes first makes the
 * other's conditions false for good, and at most one counts. (A key that was absent may be made and removed in between,
 * and be absent again for the late copy.) If the repeat is refused, one of three things is true:
 *
 * - *Ours stands*: everything we put is there, with our values and at one and the same revision. Every value of this
 *   product carries a counter, a term, an id or a revision of its writer's own, so nobody else wrote the same: committed.
 * - *Surely refused*: a key that we compare by revision and also write still has that very revision, so our copy was
 *   never applied; and a condition on a revision fails now, and revisions never return, so none will be.
 * - Otherwise ours may have been applied and overwritten since: nobody can tell, and we say so (STORE_UNREACHABLE).
 */
import type { StoreCondition, StoreEntry, StoreWrite } from '../ports/store.ts';
import { toBase64 } from './wire.ts';

export function transactionBody(
  prefix: string,
  conditions: readonly StoreCondition[],
  writes: readonly StoreWrite[],
): object {
  // Read in the failure branch: what was compared, for the caller; what was to be written, to know our own again.
  const looked = new Set([...conditions.map(({ key }) => key), ...writes.map(({ key }) => key)]);
  return {
    compare: conditions.map(({ key, revision }) => ({
      key: toBase64(prefix + key),
      result: 'EQUAL',
      target: 'MOD',
      mod_revision: revision === 'absent' ? '0' : String(revision),
    })),
    success: writes.map((write) =>
      'remove' in write
        ? { request_delete_range: { key: toBase64(prefix + write.key) } }
        : { request_put: { key: toBase64(prefix + write.key), value: toBase64(write.value) } },
    ),
    failure: [...looked].map((key) => ({ request_range: { key: toBase64(prefix + key) } })),
  };
}

/** May it be sent again after an attempt without an answer? */
export function isRepeatable(conditions: readonly StoreCondition[], writes: readonly StoreWrite[]): boolean {
  const exact = new Set(conditions.filter(({ revision }) => revision !== 'absent').map(({ key }) => key));
  return writes.length === 0 || writes.some(({ key }) => exact.has(key));
}

export type RepeatVerdict =
  | { readonly is: 'ours'; readonly revision: number }
  | { readonly is: 'refused' }
  | { readonly is: 'unknown' };

/** Judges a refused repeat by what stands at the compared and the written keys. */
export function judgeRepeat(
  conditions: readonly StoreCondition[],
  writes: readonly StoreWrite[],
  found: ReadonlyMap<string, StoreEntry>,
): RepeatVerdict {
  if (writes.length === 0) return { is: 'refused' };
  const ours = revisionOfOurs(writes, found);
  if (ours !== null) return { is: 'ours', revision: ours };
  const written = new Set(writes.map(({ key }) => key));
  const byRevision = conditions.filter(({ revision }) => revision !== 'absent');
  const holds = (condition: StoreCondition) => found.get(condition.key)?.revision === condition.revision;
  const untouched = byRevision.some((condition) => written.has(condition.key) && holds(condition));
  const hopeless = byRevision.some((condition) => !holds(condition));
  return { is: untouched && hopeless ? 'refused' : 'unknown' };
}

/** The one revision at which all of our writes stand; `null` when they don't, or when nothing was put that could stand. */
function revisionOfOurs(writes: readonly StoreWrite[], found: ReadonlyMap<string, StoreEntry>): number | null {
  const revisions = new Set<number>();
  for (const write of writes) {
    const entry = found.get(write.key);
    if ('remove' in write) {
      if (entry !== undefined) return null;
    } else {
      if (entry === undefined || entry.value !== write.value) return null;
      revisions.add(entry.revision);
    }
  }
  const [only] = revisions;
  return revisions.size === 1 && only !== undefined ? only : null;
}
