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

/** Only what lacks a right is touched, so that repeating it is cheap. */
function existing(owners: readonly string[], read: string, write: string): string {
  const [reader, writer] = [text(read), text(write)];
  return block(`DECLARE
    makers oid[] := (SELECT array_agg(oid) FROM pg_catalog.pg_authid WHERE rolname = ANY (ARRAY[${owners.map(text).join(', ')}]::name[]));
    thing record;
  BEGIN
    FOR thing IN SELECT oid::regnamespace AS name FROM pg_catalog.pg_namespace
        WHERE nspowner = ANY (makers) AND NOT has_schema_privilege(${reader}, oid, 'USAGE') LOOP
      EXECUTE format('GRANT USAGE ON SCHEMA %s TO %I', thing.name, ${reader});
    END LOOP;
    FOR thing IN SELECT oid::regclass AS name FROM pg_catalog.pg_class
        WHERE relowner = ANY (makers) AND relkind IN ('r', 'p', 'v', 'm', 'f')
          AND NOT (has_table_privilege(${reader}, oid, 'SELECT') AND has_table_privilege(${writer}, oid, 'INSERT')
            AND has_table_privilege(${writer}, oid, 'UPDATE') AND has_table_privilege(${writer}, oid, 'DELETE')) LOOP
      EXECUTE format('GRANT SELECT ON TABLE %s TO %I', thing.name, ${reader});
      EXECUTE format('GRANT INSERT, UPDATE, DELETE ON TABLE %s TO %I', thing.name, ${writer});
    END LOOP;
    FOR thing IN SELECT oid::regclass AS name FROM pg_catalog.pg_class
        WHERE relowner = ANY (makers) AND relkind = 'S'
          AND NOT (has_sequence_privilege(${reader}, oid, 'SELECT') AND has_sequence_privilege(${writer}, oid, 'USAGE')
            AND has_sequence_privilege(${writer}, oid, 'UPDATE')) LOOP
      EXECUTE format('GRANT SELECT ON SEQUENCE %s TO %I', thing.name, ${reader});
      EXECUTE format('GRANT USAGE, UPDATE ON SEQUENCE %s TO %I', thing.name, ${writer});
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
