/**
 * Carries out `audit verify`: fetches every agent's log and what the store knows, and judges here.
 *
 * Invariant: anchors are read before the logs that must hold them, so that nothing written meanwhile looks cut off; a log that
 * another log knows more of is read once more before it is called cut.
 */
import { acceptedLogs, compareWithAnchors, type ToldAnchors } from '../audit/compare.ts';
import { type AcceptedHead, ChainReader, type ChainReading, type Finding } from '../audit/reading.ts';
import type { AuditHead } from '../core/audit-anchor.ts';
import { exitCodes } from '../errors/exit-codes.ts';
import { isUnderstudyError } from '../errors/understudy-error.ts';
import { fetchLog } from './audit-logs.ts';
import type { Call } from './call.ts';
import type { ClusterAccess } from './cluster-access.ts';
import { errorAsJson, type Paint } from './terminal.ts';
import { countText } from './words.ts';

type Outcome =
  | { readonly node: string; readonly reading: ChainReading }
  | { readonly node: string; readonly error: unknown };

export interface NodeReport {
  readonly node: string;
  /** `disputed`: it alone says that the store knows another node's log otherwise. */
  readonly verdict: 'intact' | 'tampered' | 'disputed' | 'silent';
  readonly lines: number;
  readonly first: number | null;
  readonly last: number | null;
  readonly healed: number;
  readonly missed: number;
  readonly clockSetBack: number;
  readonly findings: readonly Finding[];
  /** The last line. */
  readonly head: AuditHead | null;
  /** What was found wrong up to that line is none of the findings. */
  readonly accepted: AcceptedHead | null;
  readonly error?: ReturnType<typeof errorAsJson>;
}

export async function verifyAudit(call: Call): Promise<number> {
  const { terminal } = call;
  const reports = await examineLogs(await call.cluster());
  const verdict = verdictOf(reports);
  if (terminal.json) terminal.printJson({ verdict, nodes: reports });
  else
    terminal.print(
      ...reports.flatMap((report) => reportLines(report, terminal.paint)),
      verdictLine(verdict, terminal.paint),
    );
  return exitOf[verdict];
}

type Verdict = 'tampered' | 'disputed' | 'incomplete' | 'intact';

const exitOf = {
  ...{ tampered: exitCodes.failed, disputed: exitCodes.failed },
  ...{ incomplete: exitCodes.unreachable, intact: exitCodes.done },
} as const;

function verdictOf(reports: readonly NodeReport[]): Verdict {
  const has = (wanted: NodeReport['verdict']) => reports.some(({ verdict }) => verdict === wanted);
  if (has('tampered')) return 'tampered';
  if (has('disputed')) return 'disputed';
  return has('silent') ? 'incomplete' : 'intact';
}

/** Of every agent that the cluster is known to have. */
export async function examineLogs(access: ClusterAccess): Promise<readonly NodeReport[]> {
  await access.status().catch((error: unknown) => {
    // Those that the context file names can be asked all the same.
    if (!isUnderstudyError(error)) throw error;
  });
  return await judge(access, await storedAnchors(access));
}

/** As every agent with a store tells them: one that lies about the store is not alone. */
async function storedAnchors(access: ClusterAccess): Promise<readonly ToldAnchors[]> {
  const told = await Promise.all(
    access.agents.map(({ node: by }) =>
      access
        .askNode(by, (client, asking) => client.auditAnchors(asking))
        .then((anchors) => [{ by, anchors }])
        // Whoever is silent now is found silent below.
        .catch((error: unknown) => {
          if (!isUnderstudyError(error)) throw error;
          return [];
        }),
    ),
  );
  return told.flat();
}

async function judge(access: ClusterAccess, stored: readonly ToldAnchors[]): Promise<readonly NodeReport[]> {
  const nodes = access.agents.map(({ node }) => node);
  const outcomes = await Promise.all(nodes.map((node) => read(access, node)));
  const found = compareWithAnchors(readingsOf(outcomes), stored);
  const ahead = new Set(found.flatMap(({ node, what }) => (what === 'cut' ? [node] : [])));
  const again = await Promise.all(
    outcomes.map((outcome) => (ahead.has(outcome.node) ? read(access, outcome.node) : outcome)),
  );
  // What the others say of it stays as it was read before.
  const others = readingsOf(outcomes).flatMap(({ seen }) => seen);
  const final = readingsOf(again).map((reading) => ({
    ...reading,
    seen: others.filter(({ by }) => by === reading.node),
  }));
  const findings = compareWithAnchors(final, stored);
  const accepted = acceptedLogs(final);
  return again.map((outcome) => reportOf(outcome, findings, accepted.get(outcome.node) ?? null));
}

const readingsOf = (outcomes: readonly Outcome[]): readonly ChainReading[] =>
  outcomes.flatMap((outcome) => ('reading' in outcome ? [outcome.reading] : []));

async function read(access: ClusterAccess, node: string): Promise<Outcome> {
  const reader = new ChainReader(node);
  try {
    await fetchLog(access, node, (file, line) => reader.take(file, line));
    return { node, reading: reader.end() };
  } catch (error) {
    if (!isUnderstudyError(error)) throw error;
    return { node, error };
  }
}

function reportOf(outcome: Outcome, compared: readonly Finding[], accepted: AcceptedHead | null): NodeReport {
  const { node } = outcome;
  if ('error' in outcome) {
    const nothing = {
      lines: 0,
      first: null,
      last: null,
      healed: 0,
      missed: 0,
      clockSetBack: 0,
      findings: [],
      head: null,
      accepted,
    };
    return { node, verdict: 'silent', ...nothing, error: errorAsJson(outcome.error) };
  }
  const { clockSetBack, first, head, healed, lines, missed } = outcome.reading;
  const isOpen = ({ sequence }: Finding) => (sequence ?? 0) > (accepted?.sequence ?? 0);
  const own = [...outcome.reading.findings.filter(isOpen), ...compared.filter((finding) => finding.node === node)];
  const findings = lines === 0 && own.length === 0 ? [noLog(node)] : own;
  const last = lines === 0 ? null : head.sequence;
  return {
    node,
    verdict: findings.some(({ what }) => what !== 'disputed')
      ? 'tampered'
      : findings.length > 0
        ? 'disputed'
        : 'intact',
    lines,
    first,
    last,
    healed,
    missed,
    clockSetBack,
    findings,
    head: lines === 0 ? null : head,
    accepted,
  };
}

/** An agent begins its log when it starts. */
function noLog(node: string): Finding {
  return { what: 'missing', node, file: null, line: null, sequence: null, text: 'the agent runs, and there is no log' };
}

export function reportLines(report: NodeReport, paint: Paint): readonly string[] {
  const { accepted, error, findings, first, last, lines, node, verdict } = report;
  if (error !== undefined) return [`${node}  ${paint('yellow', 'silent')}  ${error.message}`];
  const tone = verdict === 'intact' ? 'green' : 'red';
  const notes = [
    countText(lines, 'line'),
    ...(first === null ? [] : [`${first} to ${last}`]),
    ...(accepted === null ? [] : [`accepted as it was up to ${accepted.sequence}, by the log of ${accepted.by}`]),
    ...(report.healed > 0 ? [`${countText(report.healed, 'crash', 'crashes')} healed`] : []),
    ...(report.missed > 0 ? [`${countText(report.missed, 'line')} lost on a full disk`] : []),
    ...(report.clockSetBack > 0 ? [`the clock was set back ${countText(report.clockSetBack, 'time')}`] : []),
  ];
  return [`${node}  ${paint(tone, verdict)}  ${notes.join(', ')}`, ...findings.map(findingLine)];
}

function findingLine({ file, line, sequence, text, what }: Finding): string {
  const place = file === null ? '' : `${file} line ${line}, `;
  return `  ${what}: ${place}${sequence === null ? '' : `sequence ${sequence}: `}${text}`;
}

function verdictLine(verdict: Verdict, paint: Paint): string {
  if (verdict === 'intact') return paint('green', 'No log was changed.');
  if (verdict === 'tampered') return paint('red', 'Somebody changed what is named above.');
  if (verdict === 'disputed')
    return paint('red', 'Agents contradict each other: whoever is named above says alone what he says.');
  return paint('yellow', 'No log that could be read was changed; not all could be.');
}
