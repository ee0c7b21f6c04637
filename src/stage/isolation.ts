/** Gives a stage's hosts their own namespaces and disks, in the order in which one needs the other. */
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';
import { disks, mountDisks, releaseDisks } from './disks.ts';
import { holdNamespaces, requireNamespaces } from './holders.ts';
import type { StageRecord } from './record.ts';
import { untilUnwired, wire } from './wiring.ts';

/** May be called again, for what is missing. Throws PROCESS_FAILED, STAGE_FAILED. */
export async function isolate(record: StageRecord, clock: Clock): Promise<void> {
  const fresh = await holdNamespaces(record, clock);
  await wire(record, fresh);
  await releaseDisks(record, fresh);
  await mountDisks(record);
}

/** After the stage's last process has ended: waits until the kernel has taken away what it held. Throws STAGE_FAILED. */
export async function release(record: StageRecord, clock: Clock): Promise<void> {
  await untilUnwired(record, clock);
  await releaseDisks(record, disks(record));
}

/** Throws REFUSED when this user may not have it, or when the stage in this directory was made otherwise. */
export async function refuseWhatCannotBe(
  existing: StageRecord | null,
  {
    namespaces,
    diskMb,
    witness,
  }: { readonly namespaces?: boolean; readonly diskMb?: number | null; readonly witness?: boolean },
): Promise<void> {
  const hasDisks = typeof diskMb === 'number';
  if (namespaces === true || existing?.namespaces === true) await requireNamespaces('--net');
  else if (hasDisks || typeof existing?.diskMb === 'number') await requireNamespaces('--small-disks');
  if (existing === null) return;
  const hint = 'understudy stage down --purge removes it';
  if (namespaces === true && !existing.namespaces)
    throw new UnderstudyError('REFUSED', 'the stage in this directory was made without --net', { hint });
  if (witness === true && !existing.nodes.some(({ role }) => role === 'witness'))
    throw new UnderstudyError('REFUSED', 'the stage in this directory was made without --witness', { hint });
  if (hasDisks && existing.diskMb !== diskMb)
    throw new UnderstudyError('REFUSED', 'the stage in this directory was made with other disks', { hint });
}
