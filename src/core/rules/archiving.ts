/**
 * How the archive loses nothing when the primary changes.
 *
 * Every standby keeps the WAL that the primary is not known to have archived, by a slot of its own; whoever is promoted archives
 * what it received past that place. The place is the primary's word, and only for its own timeline: what it archived of others,
 * as when it was primary before, says nothing of the WAL that is replicated now.
 */
import type { SlotTarget } from '../local-postgres.ts';
import { type Lsn, parseLsn } from '../lsn.ts';
import type { Situation } from '../situation.ts';

/** No node's slot: none of their names begins with a dash (core/spec.ts, `slotName`). */
export const archiveSlot = 'understudy__archive';

/** `null`: nothing is archived; `after` is `null` when it is not known how far it went. */
export function receivedToArchive({ spec, view }: Pick<Situation, 'spec' | 'view'>): { after: Lsn | null } | null {
  if (spec === null || spec.backups === null) return null;
  return { after: archivedTo(view) };
}

/** On standbys only: on the primary the segments themselves are marked until they are archived. */
export function archiveSlotTargets({ spec, view }: Pick<Situation, 'spec' | 'view'>): readonly SlotTarget[] {
  if (spec === null || spec.backups === null || view.postgres.state !== 'standby') return [];
  return [{ name: archiveSlot, advanceTo: archivedTo(view) }];
}

/** By the last primary that spoke, alive or not: what it had archived stays archived. */
function archivedTo(view: Situation['view']): Lsn | null {
  let last: { readonly timeline: number; readonly archivedTo: string | null } | null = null;
  for (const { value } of view.store.members.values()) {
    const { postgres } = value;
    if (postgres.state !== 'primary' || (last !== null && last.timeline >= postgres.timeline)) continue;
    last = { timeline: postgres.timeline, archivedTo: postgres.archivedTo ?? null };
  }
  return last?.archivedTo == null ? null : (parseLsn(last.archivedTo) ?? null);
}
