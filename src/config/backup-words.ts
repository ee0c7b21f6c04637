/**
 * The words of `backups`: where a repository lies, when backups are made, how long they are kept.
 *
 * Only the look of one value; whether it suits the repository is `backup-agreement.ts`'s.
 */
import { isIP } from 'node:net';
import { z } from 'zod';
import { sftpPort } from '../core/backups-spec.ts';
import { isCron, isTimeZone, nextAfter } from '../timing/cron.ts';

/** As far as `to` alone tells. */
export type WrittenRepository =
  | { readonly kind: 's3' | 'gcs'; readonly bucket: string; readonly prefix: string }
  | { readonly kind: 'azure'; readonly container: string; readonly prefix: string }
  | {
      readonly kind: 'sftp';
      readonly user: string;
      readonly host: string;
      readonly port: number;
      readonly path: string;
    }
  | { readonly kind: 'directory'; readonly path: string };

const kinds = `s3://bucket/prefix, azure://container/prefix, gcs://bucket/prefix, sftp://user@host/path, or a path such as /mnt/backups`;

/** What needs no quoting anywhere, without empty, `.` and `..` parts. */
const pathPattern = /^(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9._=+@~-]+)+$/;
const bucketPattern = /^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$/;
const s3BucketPattern = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
const containerPattern = /^(?!.*--)[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/;
const hostPattern = /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/;

const wrongPath = `has a path that won't do. Parts of letters, digits and . _ = + @ ~ - between slashes, such as s3://psf-pg/iad1`;

function portOf(text: string | undefined, otherwise: number): number | undefined {
  if (text === undefined) return otherwise;
  const port = Number(text);
  return port >= 1 && port <= 65_535 ? port : undefined;
}

function inBucket(kind: 's3' | 'gcs' | 'azure', rest: string): WrittenRepository | string {
  const slash = rest.indexOf('/');
  const name = slash < 0 ? rest : rest.slice(0, slash);
  const prefix = slash < 0 ? '' : rest.slice(slash).replace(/\/$/, '');
  if (kind === 'azure') {
    if (!containerPattern.test(name)) {
      return 'names no container. Lower case letters, digits and single hyphens, 3 to 63, such as azure://psf-pg/iad1';
    }
  } else if (!(kind === 's3' ? s3BucketPattern : bucketPattern).test(name)) {
    return `names no bucket. Lower case letters, digits, dots and hyphens, at least 3, such as ${kind}://psf-pg/iad1`;
  }
  if (prefix !== '' && !pathPattern.test(prefix)) return wrongPath;
  const place = prefix === '' ? '/' : prefix;
  return kind === 'azure' ? { kind, container: name, prefix: place } : { kind, bucket: name, prefix: place };
}

function bySftp(rest: string): WrittenRepository | string {
  const [, user, bracketed, plain, digits, path = ''] =
    /^([A-Za-z_][A-Za-z0-9_.-]{0,31})@(?:\[([0-9a-f:.]+)\]|([^:/[\]]+))(?::(\d{1,5}))?(\/.*)?$/.exec(rest) ?? [];
  const host = bracketed ?? plain;
  const port = portOf(digits, sftpPort);
  const isHost = bracketed === undefined ? hostPattern.test(host ?? '') : isIP(bracketed) === 6;
  if (user === undefined || host === undefined || port === undefined || !isHost) {
    return 'names no server and account. Such as sftp://backup@store.example:22/srv/psf';
  }
  const trimmed = path.replace(/\/$/, '');
  if (!pathPattern.test(trimmed)) return trimmed === '' ? 'names no directory. A path behind the host' : wrongPath;
  return { kind: 'sftp', user, host, port, path: trimmed };
}

function repositoryOf(text: string): WrittenRepository | string {
  const [, scheme, rest = ''] = /^([a-z0-9]+):\/\/(.*)$/.exec(text) ?? [];
  if (scheme === 's3' || scheme === 'gcs' || scheme === 'azure') return inBucket(scheme, rest);
  if (scheme === 'gs') return `begins with the scheme of another tool. gcs://${rest}`;
  if (scheme === 'sftp') return bySftp(rest);
  if (scheme !== undefined || !text.startsWith('/')) return `is no repository. ${kinds}`;
  const path = text.replace(/(?<=.)\/$/, '');
  return pathPattern.test(path) ? { kind: 'directory', path } : wrongPath.replace('s3://psf-pg/iad1', '/mnt/backups');
}

/** Text that means something, or says why it doesn't. */
function meaning<T>(read: (text: string) => T | string, isMeaning: (read: T | string) => read is T) {
  return z.string().transform((text, context) => {
    const result = read(text);
    if (isMeaning(result)) return result;
    context.addIssue({ code: 'custom', message: String(result) });
    return z.NEVER;
  });
}

function isObject<T extends object>(result: T | string): result is T {
  return typeof result !== 'string';
}

export const repository = meaning(repositoryOf, isObject);

/** `host`, `host:port`, `[address]`, `[address]:port`; without a scheme, since it is always HTTPS. */
function endpointOf(text: string): { readonly host: string; readonly port: number | null } | string {
  if (text.includes('://')) return 'has a scheme. A host, with a port if it is not 443: it is always HTTPS';
  const [, bracketed, plain, digits] = /^(?:\[([0-9a-f:.]+)\]|([^:/[\]]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const host = bracketed ?? plain ?? '';
  const port = digits === undefined ? null : portOf(digits, 0);
  const isHost = bracketed === undefined ? hostPattern.test(host) : isIP(host) === 6;
  if (isHost && port !== undefined) return { host, port };
  return 'is no endpoint. A host, with a port if it is not 443, such as us-ord.linodeobjects.com';
}

export const endpoint = meaning(endpointOf, isObject);

export const region = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9-]{0,62}$/, `is no region. The provider's name of it, such as us-east-1`);

export const storageAccount = z
  .string()
  .regex(/^[a-z0-9]{3,24}$/, 'is no storage account. 3 to 24 lower case letters and digits');

/** As `ssh-keygen -lf` shows it, or as PostgreSQL people and others write SHA-256: in hexadecimal. */
function hostKeyOf(text: string): { readonly hex: string } | string {
  const hex = text.replaceAll(':', '').toLowerCase();
  if (/^[0-9a-f]{64}$/.test(hex)) return { hex };
  const [, base64] = /^SHA256:([A-Za-z0-9+/]{43})=?$/.exec(text) ?? [];
  if (base64 !== undefined) return { hex: Buffer.from(base64, 'base64').toString('hex') };
  return `is no fingerprint of a host's key. Its SHA-256, as 'ssh-keygen -lf' shows it: SHA256:..., or 64 hexadecimal digits`;
}

export const hostKey = meaning(hostKeyOf, isObject).transform(({ hex }) => hex);

/** It is read where `apply` runs, and goes into no spec. */
export const credentials = z
  .string()
  .regex(
    /^file:\/[^\0\n\r]+$/,
    `is no source of credentials. 'file:' and the absolute path of a file on the machine where apply runs, such as file:/root/s3.json`,
  )
  .transform((text) => text.slice('file:'.length));

export const timeZone = z
  .string()
  .refine(isTimeZone, 'is no time zone. One of the IANA database, such as UTC or Europe/Berlin');

const day = '(?:sun|mon|tue|wed|thu|fri|sat)';
const daysPattern = new RegExp(`^${day}(?:-${day})?(?:,${day}(?:-${day})?)*$`);
const names = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

/** `Mon-Sat` is `1-6`, and `Fri-Mon`, over the end of the week, `5,6,0,1`. `*`: every day. */
function weekdays(text: string): string | undefined {
  if (text === 'daily') return '*';
  if (text === 'weekly') return '0';
  if (!daysPattern.test(text)) return undefined;
  return text
    .split(',')
    .map((part) => {
      const [first = 0, last = first] = part.split('-').map((name) => names.indexOf(name));
      if (last >= first) return last === first ? String(first) : `${first}-${last}`;
      return Array.from({ length: last + 8 - first }, (_, index) => (first + index) % 7).join(',');
    })
    .join(',');
}

const scheduleHint = `Such as 'Sun 02:30', 'daily 02:30', weekly, never, or a cron expression of five fields: '30 2 * * 0'`;

/** `never`, or a cron expression. `at`: hour and minute of what is said without. */
function scheduleOf(text: string, at: string): { readonly cron: string } | string {
  const words = text.trim().split(/\s+/);
  if (words.length === 1 && words[0] === 'never') return { cron: 'never' };
  const [days = '', time = at] = words;
  const on = words.length <= 2 ? weekdays(days.toLowerCase()) : undefined;
  if (on !== undefined) {
    const [, hour, minute] = /^([01]?\d|2[0-3]):([0-5]\d)$/.exec(time) ?? [];
    if (hour === undefined || minute === undefined) return `has no time of day. ${scheduleHint}`;
    return { cron: `${Number(minute)} ${Number(hour)} * * ${on}` };
  }
  const cron = words.join(' ');
  if (!isCron(cron)) return `is no schedule. ${scheduleHint}`;
  // A fixed moment: whether a day such as February 30 ever comes depends on none.
  if (nextAfter(cron, 'UTC', 0) === null) return `never comes round. ${scheduleHint}`;
  return { cron };
}

export function schedule(at: string) {
  return meaning((text) => scheduleOf(text, at), isObject).transform(({ cron }) => cron);
}

const mostDays = 3_650;

function daysOf(text: string): { readonly days: number } | string {
  const [, digits, unit] = /^(\d{1,4}) ?(d|w)$/.exec(text) ?? [];
  const days = Number(digits) * (unit === 'w' ? 7 : 1);
  if (digits === undefined) return `is no number of days or weeks. Such as 35d or 5w`;
  return days >= 1 && days <= mostDays ? { days } : `is out of bounds. From 1d to ${mostDays}d`;
}

/** Days. */
export const keep = z
  .string({ error: ({ input }) => (typeof input === 'number' ? 'has no unit. Such as 35d or 5w' : undefined) })
  .pipe(meaning(daysOf, isObject))
  .transform(({ days }) => days);
