/** The part `backups` of the cluster file: its keys, and what they mean without the rest of the file. */
import { z } from 'zod';
import { type BackupsSpec, defaultBackups, type RepositoryPlace } from '../core/backups-spec.ts';
import { unreachable } from '../core/exhausted-union.ts';
import * as backupWords from './backup-words.ts';
import * as words from './words.ts';

const nightly = '02:30';
const afterwards = '05:30';

/** An absent value (`region:`) is an absent key. */
function optional<T extends z.ZodType>(type: T) {
  return type.nullish();
}

const inFull = z.strictObject({
  to: backupWords.repository.describe(
    'The repository: s3://bucket/prefix, azure://container/prefix, gcs://bucket/prefix, sftp://user@host:port/path, or a directory that is the same on every database node',
  ),
  region: optional(backupWords.region).describe(`S3: the region, such as us-east-1`),
  endpoint: optional(backupWords.endpoint).describe(
    `S3, Azure, GCS: host, or host:port, of the service; by default Amazon's in the region, Azure's or Google's own`,
  ),
  ca: optional(words.absolutePath).describe(
    `S3, Azure, GCS: the CA of the endpoint's certificate, on every database node; by default the system's`,
  ),
  addressing: optional(z.enum(['path', 'host'])).describe(
    `S3: whether the bucket stands in the path or before the endpoint's name; host at Amazon's endpoint, else path by default`,
  ),
  account: optional(backupWords.storageAccount).describe('Azure: the storage account'),
  host_key: optional(backupWords.hostKey).describe(
    `SFTP: the SHA-256 of the server's host key, as 'ssh-keygen -lf' shows it`,
  ),
  credentials: optional(backupWords.credentials).describe(
    `file: and the path of a file on the machine where apply runs, which reads it; the nodes get it sealed`,
  ),
  full: optional(backupWords.schedule(nightly)).describe(
    `When full backups are made: 'Sun 02:30', a cron expression, or never; Sun 02:30 by default`,
  ),
  differential: optional(backupWords.schedule(nightly)).describe(
    'When differential ones are made, where no full one was since; daily 02:30 by default',
  ),
  proof: optional(backupWords.schedule(afterwards)).describe(
    'When a moment of the past is restored to prove that it can be; Sun 05:30 by default',
  ),
  from: optional(z.enum(['standby', 'primary'])).describe(
    'Who makes backups: a standby, where one is fit for it, or always the primary; standby by default',
  ),
  time_zone: optional(backupWords.timeZone).describe('The time zone of all three; UTC by default'),
  keep: optional(backupWords.keep).describe(
    'How far back one can look: older backups and their WAL go, such as 35d or 5w; 35d by default',
  ),
  compression: optional(z.enum(['zst', 'lz4', 'gz', 'none'])).describe(
    'How backups and WAL are compressed; zst by default',
  ),
  processes: optional(words.wholeNumber(1, 64)).describe('How many files are copied at once; 2 by default'),
});

export type WrittenBackups = z.output<typeof inFull>;

/** A repository that needs nothing else said, such as a directory, stands alone. */
export const backups = z.union(
  [backupWords.repository.transform((to): WrittenBackups => ({ to })), inFull],
  `can't stand here. A repository such as /mnt/backups, or a map with the key 'to'`,
);

const httpsPort = 443;
const azureEndpoint = 'blob.core.windows.net';
const gcsEndpoint = 'storage.googleapis.com';

/** What is missing is empty: `backup-agreement.ts` has refused it. */
function placeOf(written: WrittenBackups): RepositoryPlace {
  const { to, endpoint } = written;
  const caFile = written.ca ?? null;
  switch (to.kind) {
    case 's3': {
      const region = written.region ?? '';
      const isAmazon = endpoint === null || endpoint === undefined;
      return {
        ...to,
        kind: 's3',
        region,
        endpoint: endpoint?.host ?? `s3.${region}.amazonaws.com`,
        port: endpoint?.port ?? httpsPort,
        // No certificate is good for a name with more labels before the endpoint's than one.
        addressing: written.addressing ?? (isAmazon && !to.bucket.includes('.') ? 'host' : 'path'),
        caFile,
      };
    }
    case 'gcs':
      return { ...to, kind: 'gcs', endpoint: endpoint?.host ?? gcsEndpoint, caFile };
    case 'azure':
      return { ...to, account: written.account ?? '', endpoint: endpoint?.host ?? azureEndpoint, caFile };
    case 'sftp':
      return { ...to, hostKeySha256: written.host_key ?? '' };
    case 'directory':
      return to;
    default:
      return unreachable(to);
  }
}

function scheduled(written: string | null | undefined, otherwise: string | null): string | null {
  if (written === null || written === undefined) return otherwise;
  return written === 'never' ? null : written;
}

export function backupsOf(written: WrittenBackups | null | undefined): BackupsSpec | null {
  if (written === null || written === undefined) return null;
  const plain = defaultBackups;
  return {
    to: placeOf(written),
    full: scheduled(written.full, plain.full),
    differential: scheduled(written.differential, plain.differential),
    proof: scheduled(written.proof, plain.proof),
    from: written.from ?? plain.from,
    timeZone: written.time_zone ?? plain.timeZone,
    keepDays: written.keep ?? plain.keepDays,
    compression: written.compression ?? plain.compression,
    processes: written.processes ?? plain.processes,
  };
}
