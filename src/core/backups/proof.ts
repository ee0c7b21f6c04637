/**
 * The proof that backups can be restored: a moment of the window is brought back on a machine that serves nobody, and looked through.
 *
 * Invariant: nothing counts as proven of which a single check failed, or was left out without a word. And chance hides no failure:
 * a moment that could not be restored is the next one to be tried, for as long as it lies in the window.
 */
import { formatMoment, parseMoment } from './moments.ts';
import type { Stretch } from './window.ts';

export const proofSteps = ['restore', 'recover', 'heartbeat', 'amcheck', 'dump'] as const;
export type ProofStep = (typeof proofSteps)[number];

export interface ProofCheck {
  readonly step: ProofStep;
  readonly ms: number;
  /** What was seen, in a few words. */
  readonly seen: string;
}

export interface ProofResult {
  /** ISO 8601. */
  readonly moment: string;
  /** The backup that it was restored from. */
  readonly label: string;
  /** How much WAL was replayed; `null`: it did not come to that. */
  readonly walBytes: number | null;
  readonly tookMs: number;
  /** Those that were passed, in order. */
  readonly checks: readonly ProofCheck[];
  /** A line each of what is wrong; empty: it is proven. */
  readonly findings: readonly string[];
  /** The first step with a finding. */
  readonly failedIn: ProofStep | null;
}

/** The last success, which later failures don't undo. */
export interface Proven {
  /** When it ended. */
  readonly at: string;
  readonly moment: string;
  readonly tookMs: number;
}

/** What a run has beside the rest when it is a proof. */
export interface ProofPart {
  /** ISO 8601; `null`: any moment of the window. */
  readonly wanted: string | null;
  /** What it does now. */
  readonly step: ProofStep | null;
  /** `null`: it has not ended, or could not be tried. */
  readonly result: ProofResult | null;
  /** By proofs before this one. */
  readonly provenBefore: Proven | null;
}

export type Span = Pick<Stretch, 'fromMs' | 'toMs'>;

/** Ends of backups are known to the second. */
const consistentAfterMs = 2_000;
/** A heartbeat is committed each five seconds, and now and then its agent has to wait for something else. */
export const heartbeatAgeMs = 60_000;

function provable(spans: readonly Span[]): readonly Span[] {
  return spans
    .map(({ fromMs, toMs }) => ({ fromMs: fromMs + consistentAfterMs, toMs }))
    .filter(({ fromMs, toMs }) => fromMs < toMs);
}

/** Each moment is as likely as any other. `draw`: from 0 to below 1. `null`: there is nothing to prove yet. */
export function drawMoment(spans: readonly Span[], draw: number): number | null {
  const usable = provable(spans);
  const total = usable.reduce((sum, { fromMs, toMs }) => sum + (toMs - fromMs), 0);
  let left = Math.floor(draw * total);
  for (const { fromMs, toMs } of usable) {
    if (left < toMs - fromMs) return fromMs + left;
    left -= toMs - fromMs;
  }
  return null;
}

/** Later in the same stretch, so that replay goes on from where it is; `null`: it ends there. */
export function drawLater(spans: readonly Span[], afterMs: number, draw: number): number | null {
  const toMs = spans.find((span) => span.fromMs <= afterMs && afterMs < span.toMs)?.toMs;
  if (toMs === undefined || toMs - afterMs < heartbeatAgeMs) return null;
  const fromMs = afterMs + heartbeatAgeMs / 2;
  return fromMs + Math.floor(draw * (toMs - fromMs));
}

export function isProvable(spans: readonly Span[], atMs: number): boolean {
  return provable(spans).some(({ fromMs, toMs }) => fromMs <= atMs && atMs < toMs);
}

export type HeartbeatVerdict =
  | { readonly is: 'there'; readonly ageMs: number }
  /** Nobody could write then, or it is another history: the moment proves nothing. */
  | { readonly is: 'silent'; readonly finding: string }
  | { readonly is: 'later'; readonly finding: string };

/** `at`: of the heartbeat that was restored, ISO 8601; `null`: there is none. */
export function judgeHeartbeat(at: string | null, momentMs: number): HeartbeatVerdict {
  const atMs = at === null ? undefined : parseMoment(at);
  const moment = formatMoment(momentMs);
  if (atMs === undefined) return { is: 'silent', finding: `at ${moment} there is no heartbeat` };
  if (atMs > momentMs) return { is: 'later', finding: `a heartbeat of ${at} is there, and ${moment} was asked for` };
  const ageMs = momentMs - atMs;
  if (ageMs <= heartbeatAgeMs) return { is: 'there', ageMs };
  return { is: 'silent', finding: `the last heartbeat before ${moment} is of ${at}` };
}

/**
 * What the next one has to try first; `null`: any moment. Where a heartbeat was missing the moment proves nothing either way; where it
 * could not be tried, it is still to be.
 */
export function momentAgain({ result, wanted }: Pick<ProofPart, 'result' | 'wanted'>): string | null {
  if (result === null) return wanted;
  return result.failedIn === null || result.failedIn === 'heartbeat' ? null : result.moment;
}
