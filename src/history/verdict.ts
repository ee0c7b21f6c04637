/** What is said of a load in the end. Every figure is a count of attempts or findings unless its name has a unit. */
import type { CommitLevel, Outcome, Workload } from './attempt.ts';
import type { Finding } from './finding.ts';
import type { Gap } from './gaps.ts';

export type CountsByLevel = Readonly<Record<CommitLevel, number>>;

export interface WorkloadVerdict {
  readonly workload: Workload;
  readonly ok: number;
  readonly failed: number;
  readonly unknown: number;
  /** How many of the unknown turned out to be there; `null`: no primary was read. */
  readonly unknownThere: number | null;
  /** Acknowledged and missing on the primary, by the commit level asked for; `null`: no primary was read. */
  readonly lost: CountsByLevel | null;
  /** Reads that contradict a later one, by the commit level of the transaction that read. */
  readonly forks: CountsByLevel;
  readonly duplicates: number;
  /** Refused, and there all the same. */
  readonly phantoms: number;
  /** There, and never sent. */
  readonly invented: number;
  /** Reads, and nodes at rest, with another sum than the constant one. */
  readonly wrongTotals: number;
  /** Accounts that do not hold what the ledger says. */
  readonly wrongBalances: number;
}

export interface ApplicationVerdict {
  readonly application: string;
  readonly node: string;
  readonly ok: number;
  readonly failed: number;
  readonly unknown: number;
  readonly longestGap: Gap;
}

export type NodeVerdict =
  | { readonly node: string; readonly role: 'primary' | 'writable' }
  | { readonly node: string; readonly role: 'standby'; readonly caughtUp: boolean; readonly diverged: boolean }
  | { readonly node: string; readonly role: 'unknown'; readonly because: string };

/** Why attempts did not end well. */
export interface Trouble {
  readonly outcome: Exclude<Outcome, 'ok'>;
  readonly because: string;
  readonly count: number;
}

/** Why nothing can be vouched for although nothing was found. */
export type Doubt =
  | { readonly doubt: 'nothing-committed' }
  | { readonly doubt: 'no-primary' }
  | { readonly doubt: 'unread'; readonly node: string; readonly because: string }
  | { readonly doubt: 'behind'; readonly node: string };

export interface Verdict {
  /**
   * `sound`: every node was read, and nothing contradicts what was promised; losses of local commits are allowed and
   * counted. `broken`: something does. `undetermined`: nothing does, but there are doubts.
   */
  readonly outcome: 'sound' | 'broken' | 'undetermined';
  readonly doubts: readonly Doubt[];
  readonly workloads: readonly WorkloadVerdict[];
  readonly longestGap: Gap;
  /** Each application at each pooler. */
  readonly applications: readonly ApplicationVerdict[];
  readonly nodes: readonly NodeVerdict[];
  /** Most frequent first. */
  readonly troubles: readonly Trouble[];
  /** How many findings there are; the worst of them are in `examples`. */
  readonly findings: number;
  readonly examples: readonly Finding[];
}
