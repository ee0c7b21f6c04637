/** How a load's report reads: the verdict first, then what speaks against it, then the figures. */
import type { CommitLevel } from '../history/attempt.ts';
import type { Finding } from '../history/finding.ts';
import type { CountsByLevel, Doubt, NodeVerdict, Verdict, WorkloadVerdict } from '../history/verdict.ts';
import type { LoadReport } from '../load/run.ts';
import type { Paint } from './terminal.ts';
import { columns, countText, oneLine, spanText } from './words.ts';

export function loadLines(report: LoadReport, paint: Paint): readonly string[] {
  const { verdict } = report;
  return [
    verdictLine(verdict, paint),
    ...verdict.doubts.map((doubt) => `  not known: ${doubtText(doubt)}`),
    ...verdict.examples.map((finding) => `  ${findingText(finding)}`),
    ...(verdict.findings > verdict.examples.length
      ? [`  and ${verdict.findings - verdict.examples.length} more findings`]
      : []),
    '',
    summary(report),
    ...columns([
      ['', 'ok', 'failed', 'unknown', 'lost', 'forks', 'duplicates', 'wrong totals'],
      ...verdict.workloads.map(workloadRow),
    ]),
    '',
    ...columns(verdict.nodes.map(nodeRow)),
    ...(verdict.troubles.length === 0 ? [] : ['', ...verdict.troubles.map(troubleText)]),
    ...(report.kept === null ? [] : ['', `The tables ${report.tables}* were left: ${report.kept}.`]),
  ];
}

function verdictLine(verdict: Verdict, paint: Paint): string {
  switch (verdict.outcome) {
    case 'sound': {
      const lost = sumOf(verdict, ({ lost }) => lost);
      const losses =
        lost === 0
          ? 'nothing that was acknowledged is missing'
          : `${countText(lost, 'local commit')} lost, which local commits allow`;
      return `${paint('green', 'SOUND')}: ${losses}, and every node holds the same.`;
    }
    case 'broken':
      return `${paint('red', 'BROKEN')}: ${countText(verdict.findings, 'finding')}, the worst first.`;
    case 'undetermined':
      return `${paint('yellow', 'UNDETERMINED')}: nothing was found, and not everything could be looked at.`;
  }
}

function sumOf(verdict: Verdict, of: (workload: WorkloadVerdict) => CountsByLevel | null): number {
  return verdict.workloads.reduce((sum, workload) => sum + total(of(workload)), 0);
}

function total(counts: CountsByLevel | null): number {
  return counts === null ? 0 : Object.values(counts).reduce((sum, count) => sum + count, 0);
}

function summary({ commit, durationMs, endedEarly, verdict, writers }: LoadReport): string {
  const ok = verdict.workloads.reduce((sum, workload) => sum + workload.ok, 0);
  const rate = durationMs === 0 ? 0 : Math.round((ok * 1_000) / durationMs);
  const early =
    endedEarly === null
      ? ''
      : endedEarly === 'full'
        ? ', ended early: its account is full; --rate makes it last'
        : ', ended early';
  const { fromMs, ms } = verdict.longestGap;
  const poolers = countText(verdict.applications.length, 'pooler');
  return [
    `${countText(ok, `${levelText(commit)} commit`)} in ${spanText(durationMs)} (${rate} a second), `,
    `${countText(writers, 'writer')} at ${poolers}${early}; longest gap ${spanText(ms)}, from ${spanText(fromMs)} on`,
  ].join('');
}

function levelText(commit: CommitLevel): string {
  return commit === 'local' ? 'local' : 'replicated';
}

function workloadRow(workload: WorkloadVerdict): readonly string[] {
  const { duplicates, failed, forks, lost, ok, unknown, unknownThere, wrongBalances, wrongTotals } = workload;
  const there = unknown === 0 || unknownThere === null ? '' : ` (${unknownThere} there)`;
  const isBank = workload.workload === 'bank';
  return [
    workload.workload,
    `${ok}`,
    `${failed}`,
    `${unknown}${there}`,
    lost === null ? '?' : `${total(lost)}`,
    workload.workload === 'append' ? `${total(forks)}` : '',
    `${duplicates}`,
    isBank ? `${wrongTotals + wrongBalances}` : '',
  ];
}

function nodeRow(verdict: NodeVerdict): readonly string[] {
  const { node, role } = verdict;
  switch (role) {
    case 'primary':
      return [node, role, ''];
    case 'writable':
      return [node, 'writable', 'a second one'];
    case 'standby': {
      const { caughtUp, diverged } = verdict;
      return [node, role, diverged ? 'holds something else' : caughtUp ? 'holds the same' : 'has not caught up'];
    }
    case 'unknown':
      return [node, 'unknown', oneLine(verdict.because)];
  }
}

function troubleText({ because, count, outcome }: Verdict['troubles'][number]): string {
  return `${count} ${outcome}: ${oneLine(because)}`;
}

export function doubtText(doubt: Doubt): string {
  switch (doubt.doubt) {
    case 'nothing-committed':
      return 'nothing was committed, so that nothing could be missing';
    case 'no-primary':
      return 'no node can be written, so that nobody can say what is missing';
    case 'unread':
      return `${doubt.node} could not be read: ${oneLine(doubt.because)}`;
    case 'behind':
      return `${doubt.node} was not seen to catch up`;
  }
}

export function findingText(finding: Finding): string {
  switch (finding.kind) {
    case 'lost':
      return `lost: ${finding.workload} ${finding.id}, a ${levelText(finding.commit)} commit acknowledged ${spanText(finding.atMs)} after the beginning`;
    case 'fork':
      return `fork: a ${levelText(finding.commit)} commit read [${endOf(finding.earlier)}] in list ${finding.key}, which is no beginning of [${endOf(finding.later)}]`;
    case 'wrong-total':
      return `wrong total: ${finding.total} instead of ${finding.expected}, ${finding.node === null ? 'in a read' : `on ${finding.node}`}`;
    case 'wrong-balance':
      return `wrong balance: account ${finding.account} holds ${finding.balance}, its ledger says ${finding.expected}`;
    case 'phantom':
      return `phantom: ${finding.workload} ${finding.id} is there and was refused: ${oneLine(finding.because)}`;
    case 'duplicate':
      return `duplicate: ${finding.workload} ${finding.id} is there ${finding.times} times`;
    case 'invented':
      return `invented: ${finding.workload} ${finding.id} is where nobody put it`;
    case 'diverged':
      return `diverged: ${finding.node} has ${finding.foreign} of ${finding.workload} that the primary lacks, and lacks ${finding.absent} (${finding.ids.join(', ')})`;
    case 'several-writable':
      return `${finding.nodes.join(' and ')} can both be written`;
  }
}

const shownItems = 8;

/** Lists differ at their ends more often than at their beginnings. */
function endOf(items: readonly number[]): string {
  const end = items.slice(-shownItems).join(' ');
  return items.length > shownItems ? `… ${end}` : end;
}
