/** What the store says of backups: the work under way, and what the repository holds. */
import { z } from 'zod';
import { type BackupRun, backupWorks, type RepositoryRecord } from '../core/backup-run.ts';
import type { RepositoryContents } from '../core/repository.ts';

const text = z.string();
const bytes = z.number().min(0);

export const backupRun = z.object({
  id: z.string().regex(/^B-\d{4,}$/),
  work: z.enum(backupWorks),
  node: text,
  by: text,
  orderedAt: text,
  state: z.enum(['ordered', 'running', 'done', 'failed']),
  counter: z.int().min(0),
  progress: z.object({ bytesDone: bytes, bytesTotal: bytes.nullable() }).nullable(),
  endedAt: text.nullable(),
  failuresBefore: z.int().min(0).default(0),
  outcome: text.nullable(),
}) satisfies z.ZodType<BackupRun>;

const backup = z.object({
  label: text,
  kind: z.enum(['full', 'differential', 'incremental']),
  prior: text.nullable(),
  startedAt: text,
  finishedAt: text,
  startLsn: text,
  stopLsn: text,
  firstWal: text,
  lastWal: text,
  databaseBytes: bytes,
  repositoryBytes: bytes,
  hasDamage: z.boolean(),
});

export const repositoryContents = z.object({
  state: z.enum(['ok', 'empty', 'foreign', 'unreachable']),
  trouble: text.nullable(),
  backups: z.array(backup),
  archived: z.object({ first: text, last: text }).nullable(),
}) satisfies z.ZodType<RepositoryContents>;

export const repositoryRecord = z.object({
  node: text,
  lookedAt: text,
  contents: repositoryContents,
  safeUntil: text.nullable(),
}) satisfies z.ZodType<RepositoryRecord>;
