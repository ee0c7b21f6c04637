/** How the simulator writes a set of standbys into a configuration, and reads it back: nobody else reads it. */
import type { SyncSet } from '../../core/durability.ts';
import { UnderstudyError } from '../../errors/understudy-error.ts';
import type { ServerConfiguration } from '../../ports/postgres.ts';

export function encodeSet(set: SyncSet): string {
  return JSON.stringify(set);
}

/** Throws for what `encodeSet` has not written. */
export function decodeSet(configuration: ServerConfiguration): SyncSet {
  const set: unknown = JSON.parse(configuration.parameters.synchronous_standby_names ?? '');
  if (!isSyncSet(set)) throw new UnderstudyError('BROKEN_INVARIANT', 'no set of standbys');
  return set;
}

export function isSyncSet(value: unknown): value is SyncSet {
  return typeof value === 'object' && value !== null && 'standbys' in value && 'k' in value;
}
