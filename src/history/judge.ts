/**
 * Judges a load: holds everything that was acknowledged, refused and read against what the nodes hold in the end.
 *
 * Invariant: never finds fault with a history that a correct cluster can produce, and a finding names its evidence. The
 * primary's contents are the truth that losses are counted against; the other nodes are compared with it. Does not
 * gather anything, and does not know how the load was made.
 */
import type { Append, Attempt, CommitLevel, History, Transfer, Workload } from './attempt.ts';
import { checkLedger, checkTotals } from './bank.ts';
import { checkDivergence } from './divergence.ts';
import { breaksPromise, type Finding, type FindingKind, worstOf } from './finding.ts';
import { longestGap } from './gaps.ts';
import { checkLists } from './lists.ts';
import { idsOf, type NodeState, type ReadNode } from './node-state.ts';
import { checkPresence } from './presence.ts';
import type {
  ApplicationVerdict,
  CountsByLevel,
  Doubt,
  NodeVerdict,
  Trouble,
  Verdict,
  WorkloadVerdict,
} from './verdict.ts';

const mostExamples = 10;
const mostTroubles = 10;

export function judge(history: History, states: readonly NodeState[]): Verdict {
  const read = states.flatMap((state) => (state.read === 'yes' ? [state] : []));
  const writable = read.filter((node) => node.writable);
  const primary = writable[0] ?? null;
  const judged = history.workloads.map((workload) => judgeWorkload(workload, history, read, primary));
  const divergence =
    primary === null
      ? []
      : checkDivergence(
          history.workloads,
          primary,
          read.filter((node) => node !== primary),
        );
  const findings: readonly Finding[] = [
    ...judged.flatMap((each) => each.findings),
    ...divergence,
    ...(writable.length > 1 ? [{ kind: 'several-writable', nodes: writable.map(({ node }) => node) } as const] : []),
  ];
  const doubts = doubtsOf(history.attempts, states, primary);
  return {
    outcome: findings.some(breaksPromise) ? 'broken' : doubts.length > 0 ? 'undetermined' : 'sound',
    doubts,
    workloads: judged.map((each) => each.verdict),
    longestGap: longestGap(acknowledgements(history.attempts), history.durationMs),
    applications: applicationVerdicts(history),
    nodes: states.map((state) => nodeVerdict(state, primary, divergence)),
    troubles: troublesOf(history.attempts),
    findings: findings.length,
    examples: worstOf(findings, mostExamples),
  };
}

function doubtsOf(
  attempts: readonly Attempt[],
  states: readonly NodeState[],
  primary: ReadNode | null,
): readonly Doubt[] {
  const ofNodes = states.flatMap((state): readonly Doubt[] => {
    const { node } = state;
    if (state.read === 'no') return [{ doubt: 'unread', node, because: state.because }];
    return state.writable || state.caughtUp ? [] : [{ doubt: 'behind', node }];
  });
  return [
    // A load that committed nothing would find nothing missing.
    ...(attempts.some(({ outcome }) => outcome === 'ok') ? [] : [{ doubt: 'nothing-committed' } as const]),
    ...(primary === null ? [{ doubt: 'no-primary' } as const] : []),
    ...ofNodes,
  ];
}

interface Judged {
  readonly verdict: WorkloadVerdict;
  readonly findings: readonly Finding[];
}

function judgeWorkload(
  workload: Workload,
  history: History,
  read: readonly ReadNode[],
  primary: ReadNode | null,
): Judged {
  const attempts = history.attempts.filter((attempt) => attempt.workload === workload);
  const presence = primary === null ? null : checkPresence(workload, attempts, idsOf(workload, primary.contents));
  const findings = distinct([...(presence?.findings ?? []), ...checkFurther(workload, history, read, primary)]);
  const count = (kind: FindingKind): number => findings.filter((finding) => finding.kind === kind).length;
  return {
    findings,
    verdict: {
      workload,
      ...outcomesOf(attempts),
      unknownThere: presence?.unknownThere ?? null,
      lost: primary === null ? null : byLevel(findings, 'lost'),
      forks: byLevel(findings, 'fork'),
      duplicates: count('duplicate'),
      phantoms: count('phantom'),
      invented: count('invented'),
      wrongTotals: count('wrong-total'),
      wrongBalances: count('wrong-balance'),
    },
  };
}

/** What a workload's own shape lets one see, beyond what is there and what is not. */
function checkFurther(
  workload: Workload,
  history: History,
  read: readonly ReadNode[],
  primary: ReadNode | null,
): readonly Finding[] {
  switch (workload) {
    case 'inserts':
      return [];
    case 'append': {
      const appends = history.attempts.filter((attempt): attempt is Append => attempt.workload === 'append');
      return checkLists(appends, primary?.contents.lists ?? null);
    }
    case 'bank': {
      const transfers = history.attempts.filter((attempt): attempt is Transfer => attempt.workload === 'bank');
      const ledger = primary === null ? [] : checkLedger(history.bank, transfers, primary);
      return [...checkTotals(history.bank, transfers, read), ...ledger];
    }
  }
}

/** A phantom, a duplicate or an invented id that is both there and in a read is one. */
function distinct(findings: readonly Finding[]): readonly Finding[] {
  const seen = new Set<string>();
  return findings.filter((finding) => {
    if (finding.kind !== 'phantom' && finding.kind !== 'duplicate' && finding.kind !== 'invented') return true;
    const key = `${finding.kind} ${finding.id}`;
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

function byLevel(findings: readonly Finding[], kind: 'lost' | 'fork'): CountsByLevel {
  const counts: Record<CommitLevel, number> = { local: 0, remote_write: 0, on: 0, remote_apply: 0 };
  for (const finding of findings) {
    if (finding.kind === kind) counts[finding.commit] += 1;
  }
  return counts;
}

function outcomesOf(attempts: readonly Attempt[]) {
  const counts = { ok: 0, failed: 0, unknown: 0 };
  for (const { outcome } of attempts) counts[outcome] += 1;
  return counts;
}

function acknowledgements(attempts: readonly Attempt[]): readonly number[] {
  return attempts.flatMap(({ endedMs, outcome }) => (outcome === 'ok' ? [endedMs] : []));
}

function applicationVerdicts({ attempts, durationMs, sources }: History): readonly ApplicationVerdict[] {
  return sources.map(({ application, node }, index) => {
    const own = attempts.filter(({ source }) => source === index);
    return { application, node, ...outcomesOf(own), longestGap: longestGap(acknowledgements(own), durationMs) };
  });
}

function nodeVerdict(state: NodeState, primary: ReadNode | null, divergence: readonly Finding[]): NodeVerdict {
  const { node } = state;
  if (state.read === 'no') return { node, role: 'unknown', because: state.because };
  if (state.writable) return { node, role: state === primary ? 'primary' : 'writable' };
  const diverged = divergence.some((finding) => finding.kind === 'diverged' && finding.node === node);
  return { node, role: 'standby', caughtUp: state.caughtUp, diverged };
}

function troublesOf(attempts: readonly Attempt[]): readonly Trouble[] {
  const byCause = new Map<string, { outcome: Trouble['outcome']; because: string; count: number }>();
  for (const attempt of attempts) {
    if (attempt.outcome === 'ok') continue;
    const { because, outcome } = attempt;
    const key = `${outcome} ${because}`;
    const known = byCause.get(key);
    if (known === undefined) byCause.set(key, { outcome, because, count: 1 });
    else known.count += 1;
  }
  return [...byCause.values()].sort((a, b) => b.count - a.count).slice(0, mostTroubles);
}
