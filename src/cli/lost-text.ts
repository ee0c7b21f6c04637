/** How the account of a divergence reads: the sum first, then tables, then transactions, then what is not known. */
import type { LostReport, LostTransaction, RowCounts } from '../core/lost-report.ts';
import type { Paint } from './terminal.ts';
import { bytesText, columns, countText } from './words.ts';

const shownTransactions = 20;

export function reportLines(report: LostReport, paint: Paint): readonly string[] {
  const { node, transactions, forkLsn, timeline, term, at } = report;
  const verdict =
    transactions === 0
      ? paint('green', 'no committed transaction')
      : paint('red', `${countText(transactions, 'transaction')} committed alone`);
  return [
    `${paint('bold', node)} came back ${at} to term ${term}: ${verdict} past ${forkLsn} of timeline ${timeline}`,
    ...timeLines(report),
    ...indented(
      columns(
        report.tables.map((table) => [nameOf(table), rowsText(table), countText(table.transactions, 'transaction')]),
      ),
    ),
    ...indented(columns(report.listed.slice(0, shownTransactions).map(transactionRow))),
    ...moreLines(report),
    ...indented(unknownLines(report).map((text) => paint('yellow', text))),
    `  ${keptText(report)}`,
  ];
}

/** When there is no report; nothing is said of those that did not answer. */
export function nothingLostLine(silent: readonly string[]): string {
  if (silent.length === 0) return 'No node that came back had committed anything alone.';
  return `Of the nodes that answered none had committed anything alone; of ${silent.join(', ')} it is not known.`;
}

function timeLines({ firstCommitAt, lastCommitAt }: LostReport): readonly string[] {
  if (firstCommitAt === null || lastCommitAt === null) return [];
  return [`  committed from ${firstCommitAt} to ${lastCommitAt}`];
}

function indented(lines: readonly string[]): readonly string[] {
  return lines.map((line) => `  ${line}`);
}

function nameOf({ database, table }: { readonly database: string | null; readonly table: string }): string {
  return database === null ? table : `${database} ${table}`;
}

export function rowsText({ inserted, updated, deleted }: RowCounts): string {
  const parts = [
    inserted > 0 ? `+${inserted}` : '',
    updated > 0 ? `~${updated}` : '',
    deleted > 0 ? `-${deleted}` : '',
  ];
  return parts.filter((part) => part !== '').join(' ');
}

function transactionRow({ xid, committedAt, atLeast, changedCatalog, tables }: LostTransaction): readonly string[] {
  const rows = tables.map((table) => `${nameOf(table)} ${rowsText(table)}`);
  const notes = [changedCatalog ? ['definitions'] : [], atLeast ? ['at least'] : []].flat();
  return [committedAt, `xid ${xid}`, [...rows, ...notes].join(', ')];
}

function moreLines({ transactions, listed }: LostReport): readonly string[] {
  const left = transactions - Math.min(listed.length, shownTransactions);
  return left > 0 ? [`  and ${left} more${transactions === listed.length ? ' (--json has them)' : ''}`] : [];
}

function unknownLines({ notWhole, unnamed }: LostReport): readonly string[] {
  return [
    ...(notWhole === null ? [] : [`not all of it is known: ${notWhole}`]),
    ...(unnamed === null ? [] : [`the tables' names are not known: ${unnamed}`]),
  ];
}

function keptText({ id, keptBytes, walBytes }: LostReport): string {
  return keptBytes === 0
    ? `${bytesText(walBytes)} of WAL, not kept`
    : `${bytesText(walBytes)} of WAL, kept in diverged/${id} of the node's state directory`;
}
