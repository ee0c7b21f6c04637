/** Reads the catalog as plans need it, and makes what the cluster itself needs before any of them is carried out. */
import { appliedStatement, keyOf, makeTable } from './applied-table.ts';
import { replicationRole, rewindRole } from './layout.ts';
import { rewindRoleStatements } from './rewind-role.ts';
import { type Catalog, catalogStatement, findRole } from './role-catalog.ts';
import type { StatementRun } from './statement-run.ts';

export interface FoundCatalog {
  readonly catalog: Catalog;
  /** What the cluster needs and has already. */
  readonly has: { readonly table: boolean; readonly replication: boolean; readonly rewind: boolean };
}

export async function readCatalog(run: StatementRun): Promise<FoundCatalog> {
  const [row] = await run.query(catalogStatement);
  const table = row?.applied === true;
  const records = table ? await run.query(appliedStatement) : [];
  return {
    catalog: {
      roles: row?.roles ?? [],
      databases: row?.databases ?? [],
      applied: new Map(records.map((record) => [keyOf(record), record])),
    },
    has: { table, replication: row?.replication === true, rewind: row?.rewind === true },
  };
}

export async function prepareCluster({ catalog, has }: FoundCatalog, run: StatementRun): Promise<void> {
  if (!has.table) await run.run([makeTable]);
  if (!has.replication) {
    const known = findRole(catalog, replicationRole) !== undefined;
    await run.run([`${known ? 'ALTER' : 'CREATE'} ROLE ${replicationRole} LOGIN REPLICATION`]);
  }
  if (!has.rewind) await run.run(rewindRoleStatements(findRole(catalog, rewindRole) !== undefined));
}
