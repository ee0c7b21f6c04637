/**
 * What a node has bound itself to: the one durable record that decides which holder it may acknowledge to.
 *
 * Invariants (PROTOCOLS, "Each node's promise record"; models B and C): a cut for a term is never taken back, it ends
 * only by following a holder of at least that term; a cut refuses promises, and a promise forbids cutting until it has
 * run out; a node with a cut never starts writable in a lower term. The record is durable before anything rests on it.
 */
import { unreachable } from './exhausted-union.ts';

export type PromiseRecord =
  | { readonly kind: 'none' }
  /** Acknowledges nothing to holders of lower terms than this. */
  | { readonly kind: 'cut'; readonly term: number }
  /** Does not cut before then, on the boottime of that boot. */
  | {
      readonly kind: 'promised';
      readonly term: number;
      readonly round: number;
      readonly untilMs: number;
      readonly bootId: string;
      /** A cut of an earlier term goes on binding. */
      readonly cut: number;
    };

/** Holders of lower terms are neither followed nor served; 0: everybody may be. */
export function cutTerm(record: PromiseRecord): number {
  switch (record.kind) {
    case 'none':
      return 0;
    case 'cut':
      return record.term;
    case 'promised':
      return record.cut;
    default:
      return unreachable(record);
  }
}

export interface Instant {
  readonly nowMs: number;
  readonly bootId: string;
}

/** How long a promise still forbids cutting, in ms; a promise of an earlier boot forbids nothing (model C). */
export function promiseLeftMs(record: PromiseRecord, now: Instant): number {
  if (record.kind !== 'promised' || record.bootId !== now.bootId) return 0;
  return Math.max(0, record.untilMs - now.nowMs);
}

/** The record after cutting for a term; `null`: a promise forbids it, or a cut of a higher term stands. */
export function cutFor(record: PromiseRecord, term: number, now: Instant): PromiseRecord | null {
  if (promiseLeftMs(record, now) > 0 || cutTerm(record) > term) return null;
  return { kind: 'cut', term };
}

export interface PromiseRequest {
  readonly term: number;
  readonly round: number;
  /** TTL + drift of the lease, counted here from receipt. */
  readonly forMs: number;
}

export interface PromiseAnswer {
  readonly given: boolean;
  /** The last round of this term that was promised here, 0 without one: a holder that began anew asks a later one. */
  readonly round: number;
}

export function answerOf(record: PromiseRecord, term: number, given: boolean): PromiseAnswer {
  return { given, round: record.kind === 'promised' && record.term === term ? record.round : 0 };
}

/**
 * The record after promising; `null`: refused. A cut above the holder's term refuses; an older round than one already
 * given, or of a lower term, is a message that was long under way.
 */
export function promiseTo(record: PromiseRecord, request: PromiseRequest, now: Instant): PromiseRecord | null {
  const cut = cutTerm(record);
  if (cut > request.term) return null;
  if (record.kind === 'promised') {
    if (record.term > request.term) return null;
    if (record.term === request.term && record.round >= request.round) return null;
  }
  const before = record.kind === 'promised' && record.bootId === now.bootId ? record.untilMs : 0;
  const untilMs = Math.max(before, now.nowMs + request.forMs);
  return { kind: 'promised', term: request.term, round: request.round, untilMs, bootId: now.bootId, cut };
}
