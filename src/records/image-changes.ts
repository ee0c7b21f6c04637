/**
 * Folds the store's image from one whole reading and the changes after it. Pure.
 *
 * Invariants: a change older than what the image has of that key is ignored, so that an agent's own writes and the
 * watch may arrive in either order; only what changed is parsed again (image-places.ts).
 */
import type { StoreChange, StoreSnapshot, StoreWrite } from '../ports/store.ts';
import { place } from './image-places.ts';
import { emptyImage, type StoreImage } from './store-image.ts';

/** Nothing that arrives out of order is this many revisions late; without an end, removed events would pile up. */
const removalsKeptFor = 1_000;

export function imageOf(snapshot: StoreSnapshot): StoreImage {
  const changes = [...snapshot.entries.values()].map((entry): StoreChange => ({ kind: 'put', entry }));
  return applyChanges(emptyImage(), changes, snapshot.revision);
}

export function applyChanges(image: StoreImage, changes: readonly StoreChange[], revision: number): StoreImage {
  let next: StoreImage = image;
  const changed = new Map(image.changed);
  const removed = new Set(image.removed);
  for (const change of changes) {
    const key = change.kind === 'put' ? change.entry.key : change.key;
    const at = change.kind === 'put' ? change.entry.revision : change.revision;
    if ((changed.get(key) ?? 0) >= at) continue;
    changed.set(key, at);
    if (change.kind === 'put') removed.delete(key);
    else removed.add(key);
    next = place(next, { key, value: change.kind === 'put' ? change.entry.value : null, revision: at });
  }
  const newest = Math.max(image.revision, revision);
  for (const key of removed) {
    if ((changed.get(key) ?? 0) >= newest - removalsKeptFor) continue;
    removed.delete(key);
    changed.delete(key);
  }
  return { ...next, revision: newest, changed, removed };
}

/** This agent's own committed transaction. */
export function applyWrites(image: StoreImage, writes: readonly StoreWrite[], revision: number): StoreImage {
  const changes = writes.map(
    (write): StoreChange =>
      'remove' in write
        ? { kind: 'removed', key: write.key, revision }
        : { kind: 'put', entry: { key: write.key, value: write.value, revision } },
  );
  return applyChanges(image, changes, revision);
}
