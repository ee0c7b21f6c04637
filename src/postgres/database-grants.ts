/**
 * Rights inside one database, given to its two groups: on what is there, and by default privileges on what each maker will
 * make. Pure; may be repeated; run in one transaction there.
 *
 * A maker is who may make tables: the owner, and each application that may write. What others made, such as the superuser,
 * stays theirs to give. Readers read; writers change rows, and may make things of their own in the schema `public`. They may
 * not change what others made, nor make schemas: one of another role's name would come first in that role's search path.
 */
import pg from 'pg';
import { type ApplicationRole, groupRole } from '../core/application-roles.ts';
import type { DatabaseSpec } from '../core/spec.ts';
import { roleComments } from './role-catalog.ts';

const q = pg.escapeIdentifier;
const text = pg.escapeLiteral;

/** A block of PL/pgSQL, in quotes that don't occur in it. */
function block(body: string): string {
  let tag = '$understudy$';
  for (let number = 0; body.includes(tag); number += 1) tag = `$understudy${number}$`;
  return `DO ${tag} ${body} ${tag}`;
}

export function makersOf(database: DatabaseSpec, applications: readonly ApplicationRole[]): readonly string[] {
  const writers = applications.filter((each) => each.database === database.name && each.rights === 'rw');
  return [...new Set([database.owner, ...writers.map(({ name }) => name)])];
}

/** Before version 15 everyone may make tables in `public`. An owner may have dropped it. */
function publicSchema(owner: string, read: string, write: string): string {
  return block(`BEGIN
    IF to_regnamespace('public') IS NOT NULL THEN
      REVOKE CREATE ON SCHEMA public FROM PUBLIC;
      GRANT ALL ON SCHEMA public TO ${q(owner)};
      GRANT USAGE ON SCHEMA public TO ${q(read)};
      GRANT CREATE ON SCHEMA public TO ${q(write)};
    END IF;
  END`);
}

/** What another session drops or renames after the look is nobody's business any more. */
function give(catalog: 'pg_namespace' | 'pg_class', ...statements: readonly string[]): string {
  return `BEGIN
        ${statements.map((statement) => `EXECUTE ${statement};`).join('\n        ')}
      EXCEPTION
        WHEN undefined_table OR invalid_schema_name THEN NULL;
        -- So the server calls it when that was dropped while we waited for it, and the like.
        WHEN internal_error THEN
          IF EXISTS (SELECT FROM pg_catalog.${catalog} WHERE oid = thing.oid) THEN RAISE; END IF;
      END;`;
}

/** Only what lacks a right is touched, so that repeating it is cheap. Temporary tables are their session's. */
function existing(owners: readonly string[], read: string, write: string): string {
  const [reader, writer] = [text(read), text(write)];
  return block(`DECLARE
    makers oid[] := (SELECT array_agg(oid) FROM pg_catalog.pg_authid WHERE rolname = ANY (ARRAY[${owners.map(text).join(', ')}]::name[]));
    thing record;
  BEGIN
    FOR thing IN SELECT oid, nspname AS name FROM pg_catalog.pg_namespace
        WHERE nspowner = ANY (makers) AND NOT has_schema_privilege(${reader}, oid, 'USAGE') LOOP
      ${give('pg_namespace', `format('GRANT USAGE ON SCHEMA %I TO %I', thing.name, ${reader})`)}
    END LOOP;
    FOR thing IN SELECT c.oid, nspname AS space, relname AS name
        FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE relowner = ANY (makers) AND relkind IN ('r', 'p', 'v', 'm', 'f') AND relpersistence <> 't'
          AND NOT (has_table_privilege(${reader}, c.oid, 'SELECT') AND has_table_privilege(${writer}, c.oid, 'INSERT')
            AND has_table_privilege(${writer}, c.oid, 'UPDATE') AND has_table_privilege(${writer}, c.oid, 'DELETE')) LOOP
      ${give(
        'pg_class',
        `format('GRANT SELECT ON TABLE %I.%I TO %I', thing.space, thing.name, ${reader})`,
        `format('GRANT INSERT, UPDATE, DELETE ON TABLE %I.%I TO %I', thing.space, thing.name, ${writer})`,
      )}
    END LOOP;
    FOR thing IN SELECT c.oid, nspname AS space, relname AS name
        FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE relowner = ANY (makers) AND relkind = 'S' AND relpersistence <> 't'
          AND NOT (has_sequence_privilege(${reader}, c.oid, 'SELECT') AND has_sequence_privilege(${writer}, c.oid, 'USAGE')
            AND has_sequence_privilege(${writer}, c.oid, 'UPDATE')) LOOP
      ${give(
        'pg_class',
        `format('GRANT SELECT ON SEQUENCE %I.%I TO %I', thing.space, thing.name, ${reader})`,
        `format('GRANT USAGE, UPDATE ON SEQUENCE %I.%I TO %I', thing.space, thing.name, ${writer})`,
      )}
    END LOOP;
  END`);
}

/** Documentation "ALTER DEFAULT PRIVILEGES": they hold for what that role makes, in any schema of this database. */
function later(maker: string, read: string, write: string): readonly string[] {
  const grant = `ALTER DEFAULT PRIVILEGES FOR ROLE ${q(maker)} GRANT`;
  return [
    `${grant} USAGE ON SCHEMAS TO ${q(read)}`,
    `${grant} SELECT ON TABLES TO ${q(read)}`,
    `${grant} SELECT ON SEQUENCES TO ${q(read)}`,
    `${grant} INSERT, UPDATE, DELETE ON TABLES TO ${q(write)}`,
    `${grant} USAGE, UPDATE ON SEQUENCES TO ${q(write)}`,
  ];
}

/**
 * What somebody made who makes nothing here any more goes to the owner: an application that may only read now would else go on
 * changing and dropping it. Of an application that is gone it stays, for the case that it comes back; so does what belongs to
 * whoever has a database of his own, since REASSIGN OWNED would give that away, too.
 */
function handedOver(formers: readonly string[], readers: readonly string[], owner: string): string {
  const names = (list: readonly string[]) => `ARRAY[${list.map(text).join(', ')}]::name[]`;
  return block(`DECLARE
    former record;
  BEGIN
    FOR former IN SELECT rolname AS name FROM pg_catalog.pg_authid r WHERE rolname = ANY (${names(formers)})
        AND (rolname = ANY (${names(readers)}) OR shobj_description(oid, 'pg_authid') = ${text(roleComments.owner)})
        AND NOT EXISTS (SELECT FROM pg_catalog.pg_database WHERE datdba = r.oid) LOOP
      EXECUTE format('REASSIGN OWNED BY %I TO %I', former.name, ${text(owner)});
    END LOOP;
  END`);
}

/** In one transaction, when `formers` are no makers any more; `readers`: applications that may only read here. */
export function handOver(database: DatabaseSpec, formers: readonly string[], readers: readonly string[]): string {
  const [read, write] = [groupRole(database.name, 'read'), groupRole(database.name, 'write')];
  return `${handedOver(formers, readers, database.owner)};\n${existing([database.owner], read, write)};`;
}

export function databaseGrants(database: DatabaseSpec, makers: readonly string[]): string {
  const [read, write] = [groupRole(database.name, 'read'), groupRole(database.name, 'write')];
  return [
    ...(makers.includes(database.owner) ? [publicSchema(database.owner, read, write)] : []),
    ...makers.flatMap((maker) => later(maker, read, write)),
    existing(makers, read, write),
  ]
    .map((statement) => `${statement};`)
    .join('\n');
}
