/** Prints lines of audit logs, of one node or of all of them by time. */
import { auditSentence } from '../audit/catalogue.ts';
import { type AuditLine, parseLine } from '../audit/line.ts';
import { exitCodes } from '../errors/exit-codes.ts';
import { describeError, isUnderstudyError } from '../errors/understudy-error.ts';
import { fetchLog } from './audit-logs.ts';
import type { Call } from './call.ts';
import type { ClusterAccess } from './cluster-access.ts';
import type { Paint } from './terminal.ts';
import { oneLine } from './words.ts';

export async function showAudit(
  call: Call,
  { node, since }: { readonly node?: string; readonly since: (nowMs: number) => number },
): Promise<number> {
  const { terminal } = call;
  const access = await call.cluster();
  if (node === undefined || access.agent(node) === undefined) await learn(access);
  const sinceText = new Date(since(Date.now())).toISOString();
  const nodes = node === undefined ? access.agents.map((agent) => agent.node) : [node];
  const readings = await Promise.all(nodes.map((one) => linesOf(access, one, sinceText)));
  const silent = readings.filter((reading) => 'error' in reading);
  const [first] = silent;
  if (first !== undefined && silent.length === readings.length) throw first.error;
  for (const { node: name, error } of silent) terminal.note(`${name} did not answer: ${describeError(error)}`);
  const lines = readings.flatMap((reading) => ('lines' in reading ? reading.lines : []));
  for (const line of lines.sort(byTime)) {
    if (terminal.json) terminal.printJson(line);
    else terminal.print(lineText(line, terminal.paint));
  }
  return exitCodes.done;
}

async function learn(access: ClusterAccess): Promise<void> {
  try {
    await access.status();
  } catch (error) {
    // Those that the context file names can be asked all the same.
    if (!isUnderstudyError(error)) throw error;
  }
}

async function linesOf(access: ClusterAccess, node: string, since: string) {
  const lines: AuditLine[] = [];
  try {
    await fetchLog(access, node, (_, written) => {
      const line = parseLine(written);
      if (line !== null && line.at >= since) lines.push(line);
    });
    return { node, lines };
  } catch (error) {
    return { node, error };
  }
}

function byTime(one: AuditLine, other: AuditLine): number {
  if (one.at !== other.at) return one.at < other.at ? -1 : 1;
  return one.node === other.node ? one.sequence - other.sequence : one.node < other.node ? -1 : 1;
}

function lineText({ at, facts, kind, node, sequence, who }: AuditLine, paint: Paint): string {
  const via = who?.via === undefined ? '' : ` through ${who.via}`;
  const from = who?.from === undefined ? '' : ` from ${who.from}`;
  const by = who === null ? '' : `${paint('bold', printable(who.as))}${printable(via + from)} `;
  return `${at}  ${node} ${String(sequence).padStart(5)}  ${by}${printable(oneLine(auditSentence(kind, facts)))}`;
}

/** Names come from certificates and requests: none of them shall steer a terminal. */
function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, '?');
}
