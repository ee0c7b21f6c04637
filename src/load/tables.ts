/**
 * A load's tables: under a common beginning of their names, made before it and dropped after it. In the schema `public`, since
 * an application that may write may not make schemas.
 *
 * Invariant: they have no unique keys but where an upsert needs one, so that a row that came twice can be seen. They
 * are made at the commit level of the load: what a load asks for holds for its tables, too.
 */
import type { CommitLevel, History } from '../history/attempt.ts';

/**
 * How their names begin. `run`: small letters, digits and underscores, few of them: a name needs no quotes, and is not cut
 * off (63 bytes).
 */
export function prefixOf(run: string): string {
  return `understudy_load_${run}_`;
}

export function tablesOf(run: string): Readonly<Record<'inserts' | 'lists' | 'accounts' | 'transfers', string>> {
  const table = (name: string): string => `public.${prefixOf(run)}${name}`;
  return {
    inserts: table('inserts'),
    lists: table('lists'),
    accounts: table('accounts'),
    transfers: table('transfers'),
  };
}

/** One text, one transaction; may be sent again when nobody knows what became of it. */
export function makeTables(run: string, level: CommitLevel, bank: History['bank']): string {
  const { inserts, lists, accounts, transfers } = tablesOf(run);
  return `begin;
    set local synchronous_commit to ${level};
    set local client_min_messages to warning;
    create table if not exists ${inserts} (id bigint not null);
    create table if not exists ${lists} (key bigint primary key, items bigint[] not null);
    create table if not exists ${accounts} (id int primary key, balance bigint not null);
    create table if not exists ${transfers}
      (id bigint not null, from_account int not null, to_account int not null, amount bigint not null);
    insert into ${accounts} (id, balance) select each, ${bank.opening}
      from generate_series(0, ${bank.accounts - 1}) each on conflict do nothing;
    commit`;
}

export function dropTables(run: string): string {
  return `drop table if exists ${Object.values(tablesOf(run)).join(', ')}`;
}
