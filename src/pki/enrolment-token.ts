/**
 * The token that lets a new node join: a secret, and what is needed to be sure of the cluster before it is told to anybody.
 *
 * Invariant: whoever has the text knows whom to ask, and by which roots to verify him. One that was cut short, mistyped or
 * joined with something else is noticed before anybody is asked. Of a token nothing is ever quoted.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { secretPattern } from '../core/enrolment.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { readCertificates } from './trust.ts';

export interface TokenContent {
  readonly cluster: string;
  readonly domain: string;
  readonly node: string;
  readonly role: 'database' | 'app' | 'witness';
  /** SHA-256 of each root in DER, base64url. */
  readonly roots: readonly string[];
  /** Where database nodes let others enrol: `host:port`, an IPv6 address in brackets. */
  readonly addresses: readonly string[];
  readonly secret: string;
}

const prefix = 'understudy-token-1';
const secretBytes = 32;
const checksumLength = 8;
/** With fifty addresses it has 2 kB. */
const longest = 8_192;

const content = z.strictObject({
  c: z.string().min(1),
  d: z.string().min(1),
  n: z.string().min(1),
  r: z.enum(['database', 'app', 'witness']),
  f: z.array(z.string().regex(secretPattern)).min(1),
  a: z.array(z.string().min(3)).min(1),
  s: z.string().regex(secretPattern),
});

export function newSecret(): string {
  return randomBytes(secretBytes).toString('base64url');
}

/** All that the cluster keeps of a secret, in hex. Bound to its place, so that it stands for nothing elsewhere. */
export function secretDigest(cluster: string, node: string, secret: string): string {
  return createHash('sha256')
    .update(JSON.stringify(['understudy enrolment', cluster, node, secret]))
    .digest('hex');
}

/** Is compared where there is none, so that this takes as long. */
const noDigest = '0'.repeat(64);

/** `digest`: what is kept of a token; `null`: there is none. */
export function isSecretOf(cluster: string, node: string, secret: string, digest: string | null): boolean {
  return isSameDigest(secretDigest(cluster, node, secret), digest ?? noDigest);
}

/** Both in hex; takes as long whether they differ early or late. */
function isSameDigest(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one, 'hex'), Buffer.from(other, 'hex')];
  return a.length === b.length && timingSafeEqual(a, b);
}

/** Of each root of a file in PEM, as a token has it. */
export function fingerprintsOf(rootsPem: string): readonly string[] {
  return (readCertificates(rootsPem) ?? []).map(({ raw }) => fingerprintOf(raw));
}

export function fingerprintOf(der: Buffer): string {
  return createHash('sha256').update(der).digest('base64url');
}

export function tokenText({ addresses, cluster, domain, node, role, roots, secret }: TokenContent): string {
  const value = { c: cluster, d: domain, n: node, r: role, f: roots, a: addresses, s: secret };
  const body = Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${prefix}.${body}.${checksumOf(body)}`;
}

/** Blanks and ends of lines around it are left out. Throws TOKEN_REFUSED. */
export function readToken(text: string): TokenContent {
  const [kind, body = '', checksum = '', ...more] = text.trim().split('.');
  if (text.length > longest || kind !== prefix || more.length > 0) throw refuse('this is none of ours');
  if (checksumOf(body) !== checksum) throw refuse('it is not whole, or was changed');
  const found = content.safeParse(parsed(body));
  if (!found.success) throw refuse('it does not say what a token says');
  const { a, c, d, f, n, r, s } = found.data;
  return { addresses: a, cluster: c, domain: d, node: n, role: r, roots: f, secret: s };
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(Buffer.from(body, 'base64url').toString('utf8'));
  } catch {
    return null;
  }
}

function checksumOf(body: string): string {
  return createHash('sha256').update(`${prefix}.${body}`).digest('base64url').slice(0, checksumLength);
}

function refuse(because: string): UnderstudyError {
  return new UnderstudyError('TOKEN_REFUSED', `the token: ${because}`);
}
