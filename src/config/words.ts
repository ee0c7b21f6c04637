/**
 * The words of the cluster file: what a name, an address, a duration or a size may look like.
 *
 * Only the look of one value; whether values agree with each other is `agreement.ts`'s. Every message says what is
 * wrong, then what would be right.
 */
import { isIP } from 'node:net';
import { z } from 'zod';
import { applicationFileModes } from '../core/spec.ts';
import { durationPattern, formatDuration, formatSize, parseDuration, parseSize, sizePattern } from './units.ts';

const label = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?';
/** RFC 1123 (2.1), in lower case: certificates, slots and store keys are compared byte by byte. */
const hostPattern = new RegExp(`^(?=.{1,253}$)${label}(?:\\.${label})*$`);
const labelPattern = new RegExp(`^${label}$`);
export const identifierPattern = /^[a-z_][a-z0-9_-]{0,62}$/;

const hostHint = 'Lower case letters, digits and hyphens, in parts of at most 63 joined by dots';

export const clusterName = z
  .string()
  .regex(labelPattern, `is no cluster name. Lower case letters, digits and hyphens, at most 63, such as 'psf'`);
export const datacenterName = z
  .string()
  .regex(labelPattern, `is no datacenter name. Lower case letters, digits and hyphens, at most 63, such as 'iad1'`);
export const domainName = z
  .string()
  .regex(hostPattern, `is no domain name. ${hostHint}, such as 'psf.io'`)
  .refine((text) => isIP(text) === 0, `is an address. A domain name, such as 'psf.io'`);
export const nodeName = z
  .string()
  .regex(hostPattern, `is no node name. ${hostHint}, such as 'pg0.iad1'`)
  .refine((text) => /[a-z]/.test(text), `is all digits. A name with a letter in it, such as 'pg0'`);

function reservedName(text: string): boolean {
  return /^(postgres|template0|template1|pgbouncer|public|none|all|replication)$|^(pg_|understudy_|__proto__$)/.test(
    text,
  );
}

/** A database, a role or an application: each becomes a role or a database of PostgreSQL, or an alias of pgbouncer. */
export const identifier = z
  .string()
  .regex(
    identifierPattern,
    `can't be a name in PostgreSQL here. A lower case letter or underscore, then lower case letters, digits, '_' or '-', at most 63`,
  )
  .refine(
    (text) => !reservedName(text),
    `is reserved for PostgreSQL, pgbouncer or Understudy. Another name, such as one for what the application does`,
  );

/** Unspecified, IPv4 link-local, multicast and reserved, then the same of IPv6 (RFC 6890, RFC 4291). */
const unusable = /^(0\.|169\.254\.|22[4-9]\.|23\d\.|24\d\.|25[0-5]\.|ff[0-9a-f]{2}:|fe[89ab][0-9a-f]:|::$)/;

function usableAddress(text: string): boolean {
  if (isIP(text) === 0 || text.includes('%')) return false;
  const canonical = canonicalAddress(text);
  return !unusable.test(canonical);
}

/** The same text for the same address: `fd00:0::1` is `fd00::1`, and `::ffff:10.0.1.10` is 10.0.1.10 (RFC 4291, 2.5.5.2). */
export function canonicalAddress(address: string): string {
  if (isIP(address) !== 6 || address.includes('%')) return address;
  const canonical = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const [, high, low] = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(canonical) ?? [];
  if (high === undefined || low === undefined) return canonical;
  return [high, low].flatMap((part) => [Number.parseInt(part, 16) >> 8, Number.parseInt(part, 16) & 255]).join('.');
}

export const address = z
  .string()
  .refine(usableAddress, `is no address of one host. An IPv4 or IPv6 address, such as 10.0.1.10 or 'fd00::10'`);

/** An address, or a network: `10.0.9.0/24`. Never everywhere. */
export const network = z.string().refine((text) => {
  const [address = '', length, ...more] = text.split('/');
  const bits = isIP(address) === 6 ? 128 : 32;
  if (isIP(address) === 0 || address.includes('%') || more.length > 0) return false;
  return length === undefined || (/^\d{1,3}$/.test(length) && Number(length) >= 1 && Number(length) <= bits);
}, `is no address and no network. Such as 10.0.9.7, 10.0.9.0/24 or 'fd00:9::/64'`);

export const encoding = z.enum(
  // Those of a server (documentation 24.3.1); what only clients may use is not among them.
  [
    'UTF8',
    'SQL_ASCII',
    'EUC_CN',
    'EUC_JIS_2004',
    'EUC_JP',
    'EUC_KR',
    'EUC_TW',
    'ISO_8859_5',
    'ISO_8859_6',
    'ISO_8859_7',
    'ISO_8859_8',
    'KOI8R',
    'KOI8U',
    'LATIN1',
    'LATIN2',
    'LATIN3',
    'LATIN4',
    'LATIN5',
    'LATIN6',
    'LATIN7',
    'LATIN8',
    'LATIN9',
    'LATIN10',
    'MULE_INTERNAL',
    'WIN1250',
    'WIN1251',
    'WIN1252',
    'WIN1253',
    'WIN1254',
    'WIN1255',
    'WIN1256',
    'WIN1257',
    'WIN1258',
    'WIN866',
    'WIN874',
  ],
);
export const locale = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_.@-]{0,62}$/, `is no name of a locale. Such as C.UTF-8 or en_US.UTF-8`);
export const extension = z
  .string()
  .regex(
    /^[a-z_][a-z0-9_-]{0,62}$/,
    `can't be the name of an extension. Lower case letters, digits, '_' and '-', such as pg_trgm`,
  );

export const absolutePath = z.string().regex(/^\/[^\0\n\r]*$/, `is no absolute path. A path that begins with '/'`);
/** A user or group of a server (useradd(8), with Debian's dots). */
export const accountName = z
  .string()
  .regex(
    /^[A-Za-z_][A-Za-z0-9_.-]{0,31}$/,
    'is no name of a user or group. Letters, digits, _, . or -, at most 32, such as www-data',
  );

/** YAML reads 0640 as a number, and people write it with and without quotes. */
export const secretFileMode = z
  .union(
    [z.string().regex(/^0?[46][04]0$/), z.literal([400, 440, 600, 640])],
    `is no mode for a file with a password. 0400, 0440, 0600 or 0640`,
  )
  .transform((mode) => z.enum(applicationFileModes).parse(String(mode).padStart(4, '0')));

/** What a node serves as. */
export const roleName = z
  .string()
  .regex(labelPattern, `is no role. Lower case letters, digits and hyphens, at most 63, such as 'web'`);

/** As it may stand in a certificate (RFC 5280, 4.2.1.6): at most 253 letters, and a wildcard as first label (RFC 9525, 6.3). */
export const certificateName = z
  .string()
  .regex(
    /^(?!.{254})(?:\*\.(?=[^.]+\.))?[^*]*$/,
    `is no name for a certificate. A host name of at most 253 letters, or a wildcard such as '*.example.org'`,
  )
  .refine(
    (text) => hostPattern.test(text.replace(/^\*\./, '')),
    `is no name for a certificate. ${hostHint}, such as 'web.example.org' or '*.example.org'`,
  )
  .refine(
    (text) => /[a-z]/.test(text.split('.').at(-1) ?? ''),
    `is an address. A host name, such as 'web.example.org'`,
  );

/** Those that run a text that they are given. */
const shells = /(?:^|\/)(?:sh|bash|dash|ash|ksh|mksh|zsh|fish|csh|tcsh|busybox|env|eval)$/;
const argument = z
  .string()
  .regex(/^[^\0\n\r]{0,1000}$/, 'has control characters or is too long. One line of at most 1000 characters');
export const reloadHook = z.union(
  [
    z
      .array(argument)
      .min(1, 'is empty. A program and its arguments')
      .max(32, 'is too long. At most 32 arguments')
      .refine(
        ([program = '']) =>
          /^(?:\/[^/]|[A-Za-z0-9_])/.test(program) && (program.startsWith('/') || !program.includes('/')),
        'begins with no program. Its name, or its path',
      )
      .refine(
        ([program = '']) => !shells.test(program),
        'begins with a shell, which this never runs. A program and its arguments, or the path of a script on the nodes',
      ),
    z.string().regex(/^\/[^\0\n\r]{1,1000}$/, `is no absolute path. A path that begins with '/', or a list`),
  ],
  `can't stand here. A list such as [systemctl, reload, nginx], or the path of a program on the nodes`,
);

export const freeText = z
  .string()
  .regex(/^[^\p{Cc}]{1,500}$/u, 'is empty, too long or has control characters. One line of at most 500 characters');
export const port = z
  .int('is no port. A whole number from 1 to 65535')
  .min(1, 'is no port. A whole number from 1 to 65535')
  .max(65_535, 'is no port. A whole number from 1 to 65535');

export function wholeNumber(from: number, to: number) {
  const message = `can't stand here. A whole number from ${from} to ${to}`;
  return z.int(message).min(from, message).max(to, message);
}

/** Milliseconds, within bounds. */
export function duration(fromMs: number, toMs: number, options: { readonly wholeSeconds?: boolean } = {}) {
  const whole = options.wholeSeconds ?? false;
  return z
    .string({
      error: ({ input }) =>
        typeof input === 'number' ? 'has no unit. A duration such as 10s, 500ms or 5min' : undefined,
    })
    .regex(durationPattern, 'is no duration. A number with ms, s, min, h or d, such as 10s or 500ms')
    .transform((text, context) => {
      const ms = parseDuration(text);
      if (ms !== undefined && ms >= fromMs && ms <= toMs && (!whole || ms % 1_000 === 0)) return ms;
      const message = `is out of bounds. ${whole ? 'Whole seconds' : 'A duration'} from ${formatDuration(fromMs)} to ${formatDuration(toMs)}`;
      context.addIssue({ code: 'custom', message });
      return z.NEVER;
    });
}

/** Bytes, within bounds, in whole steps. */
export function size(fromBytes: number, toBytes: number, stepBytes: number) {
  return z
    .string({
      error: ({ input }) => (typeof input === 'number' ? 'has no unit. A size such as 16MB or 8GB' : undefined),
    })
    .regex(sizePattern, 'is no size. A number with B, kB, MB, GB or TB, such as 16MB')
    .transform((text, context) => {
      const bytes = parseSize(text);
      if (bytes !== undefined && bytes >= fromBytes && bytes <= toBytes && bytes % stepBytes === 0) return bytes;
      const step = stepBytes === 1 ? '' : ` in steps of ${formatSize(stepBytes)}`;
      const message = `is out of bounds. A size from ${formatSize(fromBytes)} to ${formatSize(toBytes)}${step}`;
      context.addIssue({ code: 'custom', message });
      return z.NEVER;
    });
}
