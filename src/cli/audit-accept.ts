/**
 * Carries out `audit accept`: shows what is wrong with a node's log, and has another agent write down that it may stay so.
 *
 * Invariant: what is accepted is what was shown: the log up to the line that was its last one then.
 */
import { exitCodes } from '../errors/exit-codes.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { examineLogs, type NodeReport, reportLines } from './audit-verify.ts';
import type { Call } from './call.ts';
import { confirm } from './confirmation.ts';

const orderWithinMs = 10_000;

export async function acceptAudit(call: Call, node: string, yes: boolean): Promise<number> {
  const { terminal } = call;
  const access = await call.cluster();
  const reports = await examineLogs(access);
  const report = reports.find((each) => each.node === node);
  if (report === undefined) throw new UnderstudyError('NOT_FOUND', `the cluster has no node ${node}`);
  const { findings, head, verdict } = report;
  if (verdict === 'silent' || head === null)
    throw new UnderstudyError('REFUSED', `the log of ${node} can't be read now`, { hint: 'understudy audit verify' });
  if (findings.every(({ what }) => what === 'disputed')) {
    if (terminal.json) terminal.printJson({ node, accepted: null });
    else terminal.print(`Nothing is wrong with the log of ${node}.`);
    return exitCodes.done;
  }
  if (!terminal.json) terminal.print(...reportLines(report, terminal.paint));
  await confirm(call, `Accept the log of ${node} as it is, up to line ${head.sequence}?`, yes);
  const witness = access.databaseAgents.find((agent) => agent.node !== node && isHeard(reports, agent.node));
  if (witness === undefined)
    throw new UnderstudyError(
      'REFUSED',
      `no agent of another database node answers, to write down that it is accepted`,
      {
        hint: 'understudy audit verify',
      },
    );
  const accepted = { node, ...head };
  await access.askNode(witness.node, (client, asking) => client.acceptAudit(accepted, asking), orderWithinMs);
  if (terminal.json) terminal.printJson({ node, accepted: { ...head, by: witness.node } });
  else
    terminal.print(`The log of ${node} is accepted up to line ${head.sequence}; the log of ${witness.node} says so.`);
  return exitCodes.done;
}

function isHeard(reports: readonly NodeReport[], node: string): boolean {
  return reports.some((report) => report.node === node && report.verdict !== 'silent');
}
