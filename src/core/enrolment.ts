/**
 * Whether a new node may have its certificates: what is known of the token that it brings, held against the declaration.
 *
 * Invariant: a token is good once, until its time is over, for the one node that it was ordered for and in the role that the node had
 * then. What is told beyond "not that token" is told to whoever has the token alone. Of the token itself only a digest is known.
 */
import { findNode, type NodeName, type NodeRole, type Spec } from './spec.ts';

/** What the store knows of a token; a node has one at most, the last that was ordered. */
export interface EnrolmentToken {
  readonly node: NodeName;
  readonly role: NodeRole;
  /** SHA-256 of the token's secret, in hex. */
  readonly digest: string;
  readonly orderedBy: string;
  /** ISO 8601, each. */
  readonly orderedAt: string;
  readonly expiresAt: string;
  readonly usedAt: string | null;
}

/** Of a token's secret: base64url of 32 bytes. */
export const secretPattern = /^[A-Za-z0-9_-]{43}$/;

export const tokenForMs = 60 * 60_000;
/** In less nobody carries it to another machine. */
export const tokenForAtLeastMs = 60_000;
/** Longer than this it would be a key that lies around. */
export const tokenForAtMostMs = 7 * 24 * 60 * 60_000;
/** After its end it is still told that it was used, or that it is over. */
export const tokenKeptMs = 24 * 60 * 60_000;

/** For people, as long as someone can be expected to think of it again. */
export const personForMs = 90 * 24 * 60 * 60_000;
export const personForAtMostMs = 365 * 24 * 60 * 60_000;

/** `null`: it is good. `isThatOne`: whether what was shown has the digest. */
export function refusalOfToken(
  token: EnrolmentToken | null,
  isThatOne: boolean,
  spec: Spec,
  /** ISO 8601, as it is compared. */
  now: string,
): string | null {
  if (token === null || !isThatOne) return 'it is not the token that was ordered last for that node';
  const { expiresAt, node, role, usedAt } = token;
  if (usedAt !== null) return `the token was used at ${usedAt}: it is good once`;
  if (now >= expiresAt) return `the token expired at ${expiresAt}`;
  const declared = findNode(spec, node);
  if (declared === undefined) return `${node} is declared no more`;
  if (declared.role !== role) return `the token is for a ${role} node, and ${node} is declared as ${declared.role}`;
  return null;
}

/** Who comes a second time, or a little late, shall be told so. */
export const toldForMs = 5 * 60_000;

/** Somebody may come with it. `told`: `now`, less the time for which is told what became of it. */
export function isAwaited({ expiresAt, usedAt }: EnrolmentToken, told: string): boolean {
  return told < (usedAt ?? expiresAt);
}
