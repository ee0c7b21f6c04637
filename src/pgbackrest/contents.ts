/** Reads what `pgbackrest info --output=json` says of one stanza (pgBackRest user guide, "Information"). */
import { z } from 'zod';
import type { ArchivedRange, BackupKind, RepositoryBackup } from '../core/repository.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';

/** Of `repo[].status.code` (pgBackRest, src/command/info/info.c). */
const emptyCodes = [1 /* missing stanza path */, 3 /* missing stanza data */];
const okCodes = [0, 2 /* no valid backups */];

const kinds: Readonly<Record<string, BackupKind>> = { full: 'full', diff: 'differential', incr: 'incremental' };

const iso = (seconds: number): string => new Date(seconds * 1_000).toISOString();
const start = z.number().transform(iso);
/** Cut to whole seconds: it can be recovered to from the next one on for certain. */
const stop = z.number().transform((seconds) => iso(seconds + 1));

const backup = z
  .object({
    archive: z.object({ start: z.string(), stop: z.string() }),
    error: z.boolean().nullish(),
    info: z.object({ size: z.number(), repository: z.object({ delta: z.number() }) }),
    label: z.string(),
    lsn: z.object({ start: z.string(), stop: z.string() }),
    prior: z.string().nullable(),
    timestamp: z.object({ start, stop }),
    type: z.string(),
  })
  .transform(
    (facts): RepositoryBackup => ({
      label: facts.label,
      kind: kinds[facts.type] ?? 'incremental',
      prior: facts.prior,
      startedAt: facts.timestamp.start,
      finishedAt: facts.timestamp.stop,
      startLsn: facts.lsn.start,
      stopLsn: facts.lsn.stop,
      firstWal: facts.archive.start,
      lastWal: facts.archive.stop,
      databaseBytes: facts.info.size,
      repositoryBytes: facts.info.repository.delta,
      hasDamage: facts.error === true,
    }),
  );

const archive = z.object({
  database: z.object({ id: z.number() }),
  min: z.string().nullable(),
  max: z.string().nullable(),
});

const report = z.array(
  z.object({
    archive: z.array(archive).default([]),
    backup: z.array(backup).default([]),
    // Of 64 bits: quoted before it is parsed.
    db: z.array(z.object({ id: z.number(), 'system-id': z.string() })).default([]),
    repo: z.array(z.object({ status: z.object({ code: z.number(), message: z.string() }) })).default([]),
  }),
);

export interface InfoReport {
  /** `failed`: it could not be read; why has to be found out otherwise. */
  readonly state: 'ok' | 'empty' | 'failed';
  /** The first line of what pgBackRest says. */
  readonly message: string;
  /** Of the cluster that it is of. */
  readonly systemIdentifier: string | null;
  readonly backups: readonly RepositoryBackup[];
  readonly archived: ArchivedRange | null;
}

/** Throws BACKUP_FAILED when it is nothing that pgBackRest would say. */
export function parseInfo(text: string): InfoReport {
  let parsed: z.infer<typeof report>;
  try {
    // What was decrypted with another passphrase stands in the message as it is.
    const clean = text.replace(/\p{Cc}/gu, ' ').replace(/"system-id":(\d+)/g, '"system-id":"$1"');
    parsed = report.parse(JSON.parse(clean));
  } catch (cause) {
    throw new UnderstudyError('BACKUP_FAILED', 'pgBackRest described the repository in unknown words', { cause });
  }
  const [stanza] = parsed;
  const status = stanza?.repo[0]?.status;
  if (stanza === undefined || status === undefined) {
    return { state: 'empty', message: '', systemIdentifier: null, backups: [], archived: null };
  }
  const current = stanza.db.reduce<(typeof stanza.db)[number] | null>(
    (newest, one) => (newest === null || one.id > newest.id ? one : newest),
    null,
  );
  const range = stanza.archive.find(({ database }) => database.id === current?.id);
  const isOk = okCodes.includes(status.code);
  return {
    state: isOk ? 'ok' : emptyCodes.includes(status.code) ? 'empty' : 'failed',
    message: status.message.split('\n')[0]?.replace(/:$/, '') ?? '',
    systemIdentifier: current?.['system-id'] ?? null,
    backups: stanza.backup.toSorted((a, b) => (a.finishedAt < b.finishedAt ? -1 : 1)),
    archived:
      range === undefined || range.min === null || range.max === null ? null : { first: range.min, last: range.max },
  };
}
