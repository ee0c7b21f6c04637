/** The declaration of backups, as it is stored. */
import { z } from 'zod';
import type { BackupsSpec } from '../core/backups-spec.ts';

const text = z.string();
const prefix = text.startsWith('/');
const port = z.int().min(1).max(65_535);
const cron = text.nullable();

const place = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('s3'),
    bucket: text,
    prefix,
    region: text,
    endpoint: text,
    port,
    addressing: z.enum(['path', 'host']),
    caFile: text.nullable(),
  }),
  z.strictObject({
    kind: z.literal('azure'),
    container: text,
    prefix,
    account: text,
    endpoint: text,
    caFile: text.nullable(),
  }),
  z.strictObject({ kind: z.literal('gcs'), bucket: text, prefix, endpoint: text, caFile: text.nullable() }),
  z.strictObject({
    kind: z.literal('sftp'),
    host: text,
    port,
    user: text,
    path: prefix,
    hostKeySha256: text,
  }),
  z.strictObject({ kind: z.literal('directory'), path: prefix }),
]);

export const backupsSpec = z.strictObject({
  to: place,
  full: cron,
  differential: cron,
  proof: cron,
  // Absent from declarations of an older version.
  from: z.enum(['standby', 'primary']).default('standby'),
  timeZone: text,
  keepDays: z.int().min(1),
  compression: z.enum(['zst', 'lz4', 'gz', 'none']),
  processes: z.int().min(1),
}) satisfies z.ZodType<BackupsSpec>;
