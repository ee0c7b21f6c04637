/**
 * What a checker found, as data: one value per contradiction, with what a person needs to look for it.
 *
 * A finding either breaks a promise or is a loss that local commits allow: an asynchronous standby that becomes primary
 * may lack their end. Everything that no commit level allows (half a transaction, a row that was refused or never sent,
 * a row twice, a node that holds something else than the primary) breaks a promise at every level.
 */
import { type CommitLevel, isReplicated, type Workload } from './attempt.ts';

export type Finding =
  /** Acknowledged, and not on the primary. */
  | {
      readonly kind: 'lost';
      readonly workload: Workload;
      readonly commit: CommitLevel;
      readonly id: number;
      readonly writer: number;
      readonly atMs: number;
    }
  /** A read that is no beginning of a later one, or of the list as it stands. */
  | {
      readonly kind: 'fork';
      readonly workload: 'append';
      readonly commit: CommitLevel;
      readonly key: number;
      readonly earlier: readonly number[];
      readonly later: readonly number[];
      readonly atMs: number;
    }
  /** Not the constant sum; `node`: when it was found at rest. */
  | {
      readonly kind: 'wrong-total';
      readonly workload: 'bank';
      readonly total: number;
      readonly expected: number;
      readonly node: string | null;
      readonly atMs: number | null;
    }
  /** An account that does not hold what the ledger says. */
  | {
      readonly kind: 'wrong-balance';
      readonly workload: 'bank';
      readonly account: number;
      readonly balance: number;
      readonly expected: number;
    }
  /** Refused, and there all the same: on the primary, or seen by a read. */
  | {
      readonly kind: 'phantom';
      readonly workload: Workload;
      readonly id: number;
      readonly writer: number;
      readonly because: string;
      readonly atMs: number;
    }
  | { readonly kind: 'duplicate'; readonly workload: Workload; readonly id: number; readonly times: number }
  /** There, and never sent to where it is. */
  | { readonly kind: 'invented'; readonly workload: Workload; readonly id: number }
  /** A node that holds what the primary has not, or has caught up and lacks something. */
  | {
      readonly kind: 'diverged';
      readonly workload: Workload;
      readonly node: string;
      readonly foreign: number;
      readonly absent: number;
      /** Some of either. */
      readonly ids: readonly number[];
    }
  | { readonly kind: 'several-writable'; readonly nodes: readonly string[] };

export type FindingKind = Finding['kind'];

export function breaksPromise(finding: Finding): boolean {
  return !('commit' in finding) || isReplicated(finding.commit);
}

/** Worst first. */
const severity: readonly FindingKind[] = [
  'lost',
  'several-writable',
  'fork',
  'wrong-total',
  'wrong-balance',
  'phantom',
  'duplicate',
  'invented',
  'diverged',
];

function rank(finding: Finding): number {
  return severity.indexOf(finding.kind) + (breaksPromise(finding) ? 0 : severity.length);
}

function whenOf(finding: Finding): number {
  return 'atMs' in finding && finding.atMs !== null ? finding.atMs : Number.POSITIVE_INFINITY;
}

/**
 * The worst findings, earliest first among equals. Each kind in each workload is shown once before any is shown again,
 * so that a thousand lost rows do not hide the fork that explains them.
 */
export function worstOf(findings: readonly Finding[], count: number): readonly Finding[] {
  const sorted = findings
    .map((finding) => ({ finding, rank: rank(finding), when: whenOf(finding) }))
    .sort((a, b) => a.rank - b.rank || (a.when === b.when ? 0 : a.when - b.when))
    .map(({ finding }) => finding);
  const seen = new Set<string>();
  const chosen = new Set<Finding>();
  for (const finding of sorted) {
    const key = `${rank(finding)} ${'workload' in finding ? finding.workload : ''}`;
    if (seen.has(key) || chosen.size >= count) continue;
    seen.add(key);
    chosen.add(finding);
  }
  for (const finding of sorted) {
    if (chosen.size >= count) break;
    chosen.add(finding);
  }
  return sorted.filter((finding) => chosen.has(finding));
}
