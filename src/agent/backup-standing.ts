/** Gathers from the store what is known of the backups, for whoever asks this node. Judges nothing (core/backups/standing.ts). */
import { type ArchivingOff, archivingOff } from '../core/backups/archiving-off.ts';
import type { NextAfter } from '../core/backups/calendar.ts';
import { backupsStanding } from '../core/backups/standing.ts';
import type { BackupsSpec } from '../core/backups-spec.ts';
import { nodesOfRole } from '../core/spec.ts';
import type { BackupsStatus } from '../core/status.ts';
import type { Clock } from '../ports/clock.ts';
import { hasRepositorySecret } from './repository-order.ts';
import type { StoreMirror } from './store-mirror.ts';

export interface BackupSources {
  readonly mirror: Pick<StoreMirror, 'image'>;
  readonly clock: Clock;
  readonly nextAfter: NextAfter;
}

/** `null`: none are. */
export function declaredBackups({ image }: BackupSources['mirror']): BackupsSpec | null {
  return image.spec?.value.spec.backups ?? null;
}

export function recordsOf(mirror: BackupSources['mirror']) {
  const { image } = mirror;
  return {
    backups: declaredBackups(mirror),
    repository: image.repository?.value ?? null,
    run: image.backupRun?.value ?? null,
    ended: [...image.endedRuns.values()].map(({ value }) => value),
    timelines: new Map([...image.timelines].map(([term, { value }]) => [term, value])),
  };
}

/** `null`: the primary archives, as far as is known, or nothing is declared. */
export function archivingOffNow({ image }: BackupSources['mirror']): ArchivingOff | null {
  const { lease, members, spec } = image;
  const holder = lease?.value.state === 'held' ? lease.value.holder : null;
  const known = new Map([...members].map(([node, { value }]) => [node, value]));
  return archivingOff(spec?.value.spec ?? null, holder, known);
}

/** `null`: none are declared. */
export function backupsNow({ mirror, clock, nextAfter }: BackupSources): BackupsStatus | null {
  const { lease, members, spec } = mirror.image;
  const [only, ...rest] = spec === null ? [] : nodesOfRole(spec.value.spec, 'database');
  const holder = lease?.value.state === 'held' ? lease.value.holder : null;
  return backupsStanding({
    ...recordsOf(mirror),
    hasSecret: hasRepositorySecret({ mirror }),
    archivingOff: archivingOffNow(mirror),
    onlyNode: rest.length === 0 ? (only?.name ?? null) : null,
    primary: (holder === null ? undefined : members.get(holder)?.value) ?? null,
    nowMs: clock.wallClock().getTime(),
    nextAfter,
  });
}
