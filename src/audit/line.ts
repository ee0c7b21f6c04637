/**
 * One line of an audit log: what happened, chained to the line before by that line's hash.
 *
 * Invariant: what is hashed is the line's text exactly as it stands in the file, so that nobody has to agree on how a value
 * is written. A line is at most `longestLineBytes` long, whatever was to be recorded.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { AuditHead } from '../core/audit-anchor.ts';
import type { AuditKind } from './catalogue.ts';

export type AuditFacts = Readonly<Record<string, string | number | boolean | null>>;

export interface AuditWho {
  /** `operator/ernest`, `viewer/vera`, `node/pg0`, or what a certificate that was refused said. */
  readonly as: string;
  /** The node that passed it on. */
  readonly via?: string | undefined;
  /** The address that it came from. */
  readonly from?: string | undefined;
  /** Of the certificate that the connection was made with. */
  readonly serial?: string | undefined;
}

export interface AuditLine {
  readonly sequence: number;
  readonly at: string;
  readonly node: string;
  /** An `AuditKind`, of this version or of another. */
  readonly kind: string;
  /** `null`: the agent itself. */
  readonly who: AuditWho | null;
  readonly facts: AuditFacts;
  /** Hash of the line before; of the first line `noHash`. */
  readonly previous: string;
}

export interface NewLine {
  readonly at: string;
  readonly node: string;
  readonly kind: AuditKind;
  readonly who: AuditWho | null;
  readonly facts: AuditFacts;
}

export const noHash = '0'.repeat(64);
/** Before the first line. */
export const beginning: AuditHead = { sequence: 0, hash: noHash };

const longestText = 200;
const mostFacts = 12;
/** Every character may take six bytes in JSON. */
export const longestLineBytes = 32 * 1024;

const text = z.string().max(longestText);
const schema: z.ZodType<AuditLine> = z.strictObject({
  sequence: z.int().min(1),
  at: z.iso.datetime(),
  node: text,
  kind: text,
  who: z.strictObject({ as: text, via: text.optional(), from: text.optional(), serial: text.optional() }).nullable(),
  facts: z.record(text, z.union([text, z.number(), z.boolean(), z.null()])),
  previous: z.string().regex(/^[0-9a-f]{64}$/),
});

export function hashOf(line: string): string {
  return createHash('sha256').update(line).digest('hex');
}

/** The text of the next line, without its end, and the head that the log has with it. */
export function chain(head: AuditHead, line: NewLine): { readonly text: string; readonly head: AuditHead } {
  const sequence = head.sequence + 1;
  const { at, node, kind, who, facts } = line;
  const value: AuditLine = {
    sequence,
    at,
    node: cut(node),
    kind,
    who: who === null ? null : cutWho(who),
    facts: cutFacts(facts),
    previous: head.hash,
  };
  const written = JSON.stringify(value);
  return { text: written, head: { sequence, hash: hashOf(written) } };
}

/** `null`: it is no line of ours. */
export function parseLine(written: string): AuditLine | null {
  let value: unknown;
  try {
    value = JSON.parse(written);
  } catch {
    return null;
  }
  const result = schema.safeParse(value);
  return result.success ? result.data : null;
}

function cutWho({ as, via, from, serial }: AuditWho): AuditWho {
  return {
    as: cut(as),
    ...(via === undefined ? {} : { via: cut(via) }),
    ...(from === undefined ? {} : { from: cut(from) }),
    ...(serial === undefined ? {} : { serial: cut(serial) }),
  };
}

function cutFacts(facts: AuditFacts): AuditFacts {
  const kept = Object.entries(facts).slice(0, mostFacts);
  return Object.fromEntries(kept.map(([name, fact]) => [cut(name), typeof fact === 'string' ? cut(fact) : fact]));
}

/** Half a surrogate pair would not survive UTF-8, and its line would not be the one that was hashed. */
function cut(value: string): string {
  return Buffer.from(value.slice(0, longestText), 'utf8').toString('utf8');
}
