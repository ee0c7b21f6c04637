/**
 * A load's tables: in a schema of their own, made before it and dropped after it.
 *
 * Invariant: they have no unique keys but where an upsert needs one, so that a row that came twice can be seen. They
 * are made at the commit level of the load: what a load asks for holds for its tables, too.
 */
import type { CommitLevel, History } from '../history/attempt.ts';

const schemaPrefix = 'understudy_load_';

/** `run`: small letters, digits and underscores, few of them: the name needs no quotes, and is not cut off (63 bytes). */
export function schemaOf(run: string): string {
  return `${schemaPrefix}${run}`;
}

/** One text, one transaction; may be sent again when nobody knows what became of it. */
export function makeTables(run: string, level: CommitLevel, bank: History['bank']): string {
  const schema = schemaOf(run);
  return `begin;
    set local synchronous_commit to ${level};
    set local client_min_messages to warning;
    create schema if not exists ${schema};
    create table if not exists ${schema}.inserts (id bigint not null);
    create table if not exists ${schema}.lists (key bigint primary key, items bigint[] not null);
    create table if not exists ${schema}.accounts (id int primary key, balance bigint not null);
    create table if not exists ${schema}.transfers
      (id bigint not null, from_account int not null, to_account int not null, amount bigint not null);
    insert into ${schema}.accounts (id, balance) select each, ${bank.opening}
      from generate_series(0, ${bank.accounts - 1}) each on conflict do nothing;
    commit`;
}

export function dropTables(run: string): string {
  return `drop schema if exists ${schemaOf(run)} cascade`;
}
