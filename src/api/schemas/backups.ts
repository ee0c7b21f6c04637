/** The same as contract/backups.ts, checked. */
import { z } from 'zod';
import { backupWorks, isBackup } from '../../core/backup-run.ts';
import { backupRun, recoverableWindow, repositoryRecord } from '../../records/backup-schemas.ts';
import { backupsSpec } from '../../records/backups-schema.ts';
import { repositoryCredentials, repositorySecret } from '../../records/repository-secret-schema.ts';
import type { BackupOrderRequest, BackupStanding, RepositorySecretRequest } from '../contract/backups.ts';

const orderBackup = z
  .strictObject({
    work: z.enum(backupWorks),
    node: z.string().max(200).optional(),
    moment: z.iso.datetime({ precision: 3 }).optional(),
  })
  .refine(({ moment, work }) => work === 'proof' || moment === undefined, { message: 'moment is of a proof alone' })
  .refine(({ node, work }) => work === 'proof' || isBackup(work) || node === undefined, {
    message: 'the primary does it: node is of backups and of a proof',
  }) satisfies z.ZodType<BackupOrderRequest>;

const secret = z.strictObject({
  credentials: repositoryCredentials,
  passphrase: repositorySecret.shape.passphrase.nullable(),
  replaces: z.boolean(),
}) satisfies z.ZodType<RepositorySecretRequest>;

const standing = z.object({
  declared: backupsSpec.nullable(),
  hasSecret: z.boolean(),
  repository: repositoryRecord.nullable(),
  window: recoverableWindow.nullable(),
  next: z.object({ full: z.number().nullable(), differential: z.number().nullable() }).nullable(),
  run: backupRun.nullable(),
  ended: z.array(backupRun),
  trouble: z.string().nullable(),
  waitsFor: z.string().nullish(),
}) satisfies z.ZodType<BackupStanding>;

const cancelBackup = z.strictObject({ run: backupRun.shape.id });

export const backupRequests = { orderBackup, cancelBackup, repositorySecret: secret } as const;

export const backupAnswers = {
  backups: standing,
  orderBackup: backupRun,
  cancelBackup: backupRun,
  /** Of a head. */
  backupPassage: z
    .string()
    .max(8_192)
    .transform(decodeURIComponent)
    .pipe(z.string().regex(/^\/[^\0\r\n]*$/, 'is no path')),
  repositorySecret: z.object({ sealedTo: z.array(z.string()) }),
} as const;
