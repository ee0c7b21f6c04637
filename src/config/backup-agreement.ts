/** Whether what is said of a repository suits its kind. Pure. */
import type { RepositoryPlace } from '../core/backups-spec.ts';
import type { Spec } from '../core/spec.ts';
import { type Finding, quote } from './issue.ts';
import type { ClusterFile } from './schema.ts';

type Kind = RepositoryPlace['kind'];

/** By kind of repository. */
const ofKind: Readonly<Record<Kind, KindOfRepository>> = {
  s3: { name: 'S3', needs: ['region'], knows: ['region', 'endpoint', 'ca', 'addressing', 'credentials'] },
  azure: { name: 'Azure', needs: ['account'], knows: ['account', 'endpoint', 'ca', 'credentials'] },
  gcs: { name: 'GCS', needs: [], knows: ['endpoint', 'ca', 'credentials'] },
  sftp: { name: 'SFTP', needs: ['host_key'], knows: ['host_key', 'credentials'] },
  directory: { name: 'a directory', needs: [], knows: [] },
};

interface KindOfRepository {
  readonly name: string;
  readonly needs: readonly Key[];
  readonly knows: readonly Key[];
}

type Key = 'region' | 'endpoint' | 'ca' | 'addressing' | 'account' | 'host_key' | 'credentials';

const keys: readonly Key[] = ['region', 'endpoint', 'ca', 'addressing', 'account', 'host_key', 'credentials'];

const needed: Readonly<Record<string, string>> = {
  region: `The provider's name of it, such as 'region: us-east-1'`,
  account: `The storage account, such as 'account: psfbackups'`,
  host_key: `The fingerprint of the server's key, as 'ssh-keygen -lf' shows it`,
};

export function backupDisagreements({ backups }: ClusterFile, spec: Spec): readonly Finding[] {
  if (backups === null || backups === undefined) return [];
  const { name, needs, knows } = ofKind[backups.to.kind];
  const isWritten = (key: Key): boolean => backups[key] !== null && backups[key] !== undefined;
  const missing = needs
    .filter((key) => !isWritten(key))
    .map((key) => {
      const message = `is missing: ${name} needs it. ${needed[key] ?? ''}`;
      return { path: ['backups', key], at: 'key' as const, message };
    });
  const strange = keys
    .filter((key) => isWritten(key) && !knows.includes(key))
    .map((key) => {
      const suits = Object.values(ofKind).filter((kind) => kind.knows.includes(key));
      const message = `means nothing for ${name}, only for ${suits.map((kind) => kind.name).join(', ')}. Remove it`;
      return { path: ['backups', key], at: 'key' as const, message };
    });
  return [...missing, ...strange, ...endpoints(backups), ...directories(spec)];
}

function endpoints({ to, endpoint, addressing }: NonNullable<ClusterFile['backups']>): readonly Finding[] {
  const port = endpoint?.port ?? null;
  if ((to.kind === 'azure' || to.kind === 'gcs') && port !== null && port !== 443) {
    const message = `has the port ${port}, and ${ofKind[to.kind].name} is reached on 443. The host alone`;
    return [{ path: ['backups', 'endpoint'], at: 'value', message }];
  }
  if (to.kind === 's3' && addressing === 'host' && to.bucket.includes('.')) {
    const message = `puts ${quote(to.bucket)} before the endpoint's name, where no certificate is good for a name with dots. path`;
    return [{ path: ['backups', 'addressing'], at: 'value', message }];
  }
  return [];
}

function directories({ backups, postgres: { dataDirectory } }: Spec): readonly Finding[] {
  const to = backups?.to;
  if (to?.kind !== 'directory' || dataDirectory === null || !`${to.path}/`.startsWith(`${dataDirectory}/`)) return [];
  const message = `${quote(to.path)} lies in the data directory, and would be lost with it. A directory that outlives the server`;
  return [{ path: ['backups', 'to'], at: 'value', message }];
}

/** What is allowed and probably not meant. */
export function backupDoubts({ backups }: Spec): readonly Finding[] {
  if (backups === null || backups.full !== null || backups.differential === null) return [];
  const message = 'is never, and a differential backup builds on a full one. A schedule, or full ones by hand';
  return [{ path: ['backups', 'full'], at: 'value', message }];
}
