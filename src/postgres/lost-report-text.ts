/** Makes the account of a divergence from the transactions that WAL told of, first with numbers, then with names. Pure. */
import type { LostReport, LostRows, LostTable, LostTransaction, RowCounts } from '../core/lost-report.ts';
import { formatLsn } from '../core/lsn.ts';
import type { CommittedTransaction, LostTransactions, RelationFile } from './lost-transactions.ts';
import type { RelationName } from './relation-names.ts';

type Facts = Omit<LostReport, 'lastLsn' | 'transactions' | 'firstCommitAt' | 'lastCommitAt' | 'tables' | 'listed'>;

/** So many transactions are listed one by one; the sums count all of them. */
const listedAtMost = 1_000;

type Names = ReadonlyMap<RelationFile, RelationName>;

export function composeReport(transactions: LostTransactions, facts: Facts): LostReport {
  const { lost, last } = transactions;
  return {
    ...facts,
    lastLsn: last === null ? null : formatLsn(last),
    transactions: lost.length,
    firstCommitAt: lost[0]?.committedAt ?? null,
    lastCommitAt: lost.at(-1)?.committedAt ?? null,
    ...tablesOf(lost, new Map()),
  };
}

export function namedReport(report: LostReport, { lost }: LostTransactions, names: Names): LostReport {
  return { ...report, ...tablesOf(lost, names), unnamed: null };
}

function tablesOf(lost: readonly CommittedTransaction[], names: Names) {
  const sums = new Map<string, LostTable>();
  const listed: LostTransaction[] = [];
  for (const { xid, committedAt, lsn, atLeast, relations } of lost) {
    const { tables, changedCatalog } = rowsByTable(relations, names);
    for (const rows of tables) {
      const key = JSON.stringify([rows.database, rows.table]);
      const sum = sums.get(key);
      const transactions = (sum?.transactions ?? 0) + 1;
      sums.set(key, { ...(sum === undefined ? rows : added(sum, rows)), transactions });
    }
    if (listed.length >= listedAtMost) continue;
    listed.push({ xid, committedAt, lsn: formatLsn(lsn), atLeast, changedCatalog, tables });
  }
  return { tables: [...sums.values()].sort((a, b) => (label(a) < label(b) ? -1 : 1)), listed };
}

/** Rows of a table's TOAST are parts of its own rows; those of the catalog are told as one fact. */
function rowsByTable(relations: ReadonlyMap<RelationFile, RowCounts>, names: Names) {
  const tables: LostRows[] = [];
  let changedCatalog = false;
  for (const [relation, counts] of relations) {
    const name = names.get(relation);
    if (name?.kind === 'catalog') changedCatalog = true;
    if (name?.kind === 'catalog' || name?.kind === 'toast') continue;
    const table = name?.table ?? `unknown relation ${relation.split('/')[2]}`;
    tables.push({ database: name?.database ?? null, table, ...counts });
  }
  return { tables, changedCatalog };
}

function added<T extends RowCounts>(sum: T, more: RowCounts): T {
  return {
    ...sum,
    inserted: sum.inserted + more.inserted,
    updated: sum.updated + more.updated,
    deleted: sum.deleted + more.deleted,
  };
}

function label({ database, table }: LostRows): string {
  return `${database ?? ''} ${table}`;
}
