import { describe, expect, it } from 'vitest';
import { type BackupsSpec, defaultBackups, type RepositoryPlace } from '../core/backups-spec.ts';
import type { RepositoryCredentials } from '../core/repository-secret.ts';
import { isUnderstudyError } from '../errors/understudy-error.ts';
import { repositoryFiles } from './configuration-file.ts';
import { repositoryPaths } from './paths.ts';
import { restoreOptions } from './restore-options.ts';

const paths = repositoryPaths('/srv/state');
const server = { dataDirectory: '/srv/data', socketDirectory: '/srv/run', port: 5433 };
const old = { text: '2.45', major: 2, minor: 45 };
const later = { text: '2.55.1', major: 2, minor: 55 };
const s3 = {
  kind: 's3',
  bucket: 'psf-pg',
  prefix: '/iad1',
  region: 'us-ord',
  endpoint: 's3.example.org',
  port: 443,
  addressing: 'host',
  caFile: null,
} as const;
const s3Keys = { kind: 's3', key: 'AKIA', keySecret: 'hidden' } as const;

function files(
  to: RepositoryPlace,
  credentials: RepositoryCredentials,
  version = later,
  more: Partial<BackupsSpec> = {},
  passphrase = 'a=b #c',
) {
  const configuration = { backups: { ...defaultBackups, to, ...more }, secret: { passphrase, credentials } };
  return repositoryFiles(configuration, server, 'shop-15', paths, version);
}

function lines(text: string | undefined): readonly string[] {
  return (text ?? '').split('\n');
}

const refusal = (code: 'CONFIG_INVALID' | 'REPOSITORY_BINARIES_MISSING') =>
  expect.toSatisfy((error) => isUnderstudyError(error, code));

describe('pgbackrest.conf', () => {
  it('says where, by which key, how long and how', () => {
    const text = lines(files(s3, s3Keys)[paths.configuration]);
    for (const line of [
      'repo1-type=s3',
      'repo1-s3-uri-style=host',
      'repo1-path=/iad1',
      'repo1-s3-key-secret=hidden',
      'repo1-cipher-pass=a=b #c',
      'repo1-retention-full-type=time',
      'repo1-retention-full=35',
      'pg1-path=/srv/data',
      'pg1-port=5433',
      '[shop-15]',
    ]) {
      expect(text).toContain(line);
    }
  });

  it('drops no WAL, expires nothing by itself, verifies TLS, and stays out of the directories of the package', () => {
    const text = files({ ...s3, caFile: '/etc/ssl/own.crt' }, s3Keys)[paths.configuration] ?? '';
    expect(lines(text)).toContain('expire-auto=n');
    expect(lines(text)).toContain('repo1-storage-ca-file=/etc/ssl/own.crt');
    expect(text).not.toMatch(/queue-max|verify-tls|\/var\//);
  });

  it('is encrypted in every place', () => {
    const text = files({ kind: 'directory', path: '/mnt/backups' }, { kind: 'none' })[paths.configuration];
    expect(lines(text)).toContain('repo1-type=posix');
    expect(lines(text)).toContain('repo1-cipher-type=aes-256-cbc');
  });

  it('keeps a key that is a file in a file of its own', () => {
    const gcs = { kind: 'gcs', bucket: 'b', prefix: '/p', endpoint: 'storage.googleapis.com', caFile: null } as const;
    const made = files(gcs, { kind: 'gcs', serviceKey: '{"key":1}' });
    expect(made[paths.gcsKey]).toBe('{"key":1}');
    expect(lines(made[paths.configuration])).toContain(`repo1-gcs-key=${paths.gcsKey}`);
  });

  it('refuses credentials of another place, a secret of two lines, and SFTP before 2.46', () => {
    expect(() => files(s3, { kind: 'none' })).toThrow(refusal('CONFIG_INVALID'));
    expect(() => files(s3, s3Keys, later, {}, 'a\nrepo1-cipher-type=none')).toThrow(refusal('CONFIG_INVALID'));
    const sftp = { kind: 'sftp', host: 'h', port: 22, user: 'u', path: '/p', hostKeySha256: 'ab' } as const;
    const key = { kind: 'sftp', privateKey: 'KEY' } as const;
    expect(() => files(sftp, key, old)).toThrow(refusal('REPOSITORY_BINARIES_MISSING'));
    expect(files(sftp, key)[paths.sftpKey]).toBe('KEY');
  });
});

describe('the options of a restore', () => {
  const request = { set: 'L', into: '/r', delta: false, action: 'pause', archives: false, timeline: 'latest' } as const;
  const options = (more: object) => restoreOptions({ ...request, target: { type: 'default' }, ...more }, 'get', '/l');

  it('always name the backup, and bring tablespaces away from where they live', () => {
    expect(options({})).toEqual(
      expect.arrayContaining(['--set=L', '--tablespace-map-all=/r.tablespaces', '--archive-mode=off']),
    );
    expect(options({ archives: true })).not.toContain('--archive-mode=off');
  });

  it('give a time with its fraction, in UTC', () => {
    const at = { type: 'time', value: '2026-11-22T09:30:00.123456+02:00' };
    expect(options({ target: at })).toEqual(
      expect.arrayContaining(['--type=time', '--target=2026-11-22 07:30:00.123456+00', '--target-action=pause']),
    );
  });

  it('give the command and a name so that they come out of postgresql.auto.conf as they are', () => {
    const given = restoreOptions({ ...request, target: { type: 'name', value: "it's \\n" } }, "'a' b", '/l');
    expect(given).toEqual(
      expect.arrayContaining(["--target=it''s \\\\n", "--recovery-option=restore_command=''a'' b"]),
    );
  });

  it('give no action where pgBackRest takes none, and no timeline to "immediate"', () => {
    expect(options({}).join(' ')).not.toContain('target-action');
    expect(options({ target: { type: 'standby' } }).join(' ')).not.toContain('target-action');
    expect(options({ target: { type: 'immediate' }, timeline: 2 }).join(' ')).not.toContain('timeline');
    expect(options({ timeline: 2 })).toContain('--target-timeline=2');
  });
});
