/** What the store says of backups: the work under way, and what the repository holds. */
import { z } from 'zod';
import { type BackupRun, backupWorks, type RepositoryRecord } from '../core/backup-run.ts';
import { type ProofPart, type Proven, proofSteps } from '../core/backups/proof.ts';
import type { RecoverableWindow } from '../core/backups/window.ts';
import type { RepositoryContents } from '../core/repository.ts';

const text = z.string();
const bytes = z.number().min(0);

const ms = z.number().min(0);
const step = z.enum(proofSteps);

export const proven = z.object({ at: text, moment: text, tookMs: ms }) satisfies z.ZodType<Proven>;

const proofPart = z.object({
  wanted: text.nullable(),
  step: step.nullable(),
  result: z
    .object({
      moment: text,
      label: text,
      walBytes: bytes.nullable(),
      tookMs: ms,
      checks: z.array(z.object({ step, ms, seen: text })),
      findings: z.array(text),
      failedIn: step.nullable(),
    })
    .nullable(),
  provenBefore: proven.nullable(),
}) satisfies z.ZodType<ProofPart>;

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
  cancelledBy: text.nullish(),
  proof: proofPart.nullish(),
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

const range = z.object({ first: text, last: text });
const mark = z.object({ atMs: z.number(), timeline: z.int().positive(), lsn: text });

export const repositoryContents = z.object({
  state: z.enum(['ok', 'empty', 'foreign', 'unreachable']),
  trouble: text.nullable(),
  backups: z.array(backup),
  archived: range.nullable(),
}) satisfies z.ZodType<RepositoryContents>;

export const recoverableWindow = z.object({
  stretches: z.array(
    z.object({
      fromMs: z.number(),
      toMs: z.number(),
      endLsn: text,
      end: z.discriminatedUnion('because', [
        z.object({ because: z.literal('archive-ends') }),
        z.object({ because: z.literal('wal-missing'), segment: text }),
      ]),
      backups: z.array(text),
    }),
  ),
  unusable: z.array(z.object({ label: text, because: z.enum(['other-timeline', 'wal-missing', 'prior-missing']) })),
}) satisfies z.ZodType<RecoverableWindow>;

export const repositoryRecord = z.object({
  node: text,
  lookedAt: text,
  contents: repositoryContents,
  place: text.optional(),
  safeUntil: text.nullable(),
  // Left out by an earlier version.
  archive: z
    .object({
      segmentBytes: z.int().positive(),
      ranges: z.array(range),
      marks: z.array(mark),
      listedAt: text.optional(),
    })
    .nullable()
    .default(null),
  stalled: z.object({ since: text, bytesPerS: bytes.nullable() }).nullable().default(null),
}) satisfies z.ZodType<RepositoryRecord>;
