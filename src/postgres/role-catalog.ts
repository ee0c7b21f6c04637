/**
 * The catalog, as far as declared databases and roles are concerned. One statement.
 *
 * Roles that this product made bear a comment that says what they are; it alters no others.
 */
import { z } from 'zod';
import { type AppliedRecords, hasTable } from './applied-table.ts';
import { replicationRole } from './layout.ts';
import { hasRewindRights } from './rewind-role.ts';
import type { Statement } from './session.ts';

export const roleComments = {
  owner: 'understudy owner',
  group: 'understudy group',
  application: 'understudy application',
  login: 'understudy login',
} as const;

/**
 * A setting of a database that is no longer declared: in the catalog, so that standbys see it too. It has no effect, and is
 * no setting that anybody declares.
 */
export const retiredMark = { setting: 'understudy.retired', value: 'yes' } as const;

const roleSchema = z.object({
  name: z.string(),
  login: z.boolean(),
  /** It may do what rights don't limit: a superuser, or one that replicates. */
  privileged: z.boolean(),
  /** `CREATEDB` and the like. */
  attributes: z.array(z.string()),
  comment: z.string().nullable(),
  memberOf: z.array(z.string()),
  /** `ALTER ROLE name SET role = setRole`. */
  setRole: z.string().nullable(),
  /** Databases in which it has such a setting of its own. */
  setRoleIn: z.array(z.string()),
});
const databaseSchema = z.object({
  name: z.string(),
  owner: z.string(),
  /** Who may connect beside the owner; `null` stands for PUBLIC. */
  connect: z.array(z.string().nullable()),
  /** -1: no limit. */
  connectionLimit: z.number(),
  encoding: z.string(),
  locale: z.string(),
  /** `ALTER DATABASE ... SET`. */
  settings: z.record(z.string(), z.string()),
});

export type CatalogRole = Readonly<z.infer<typeof roleSchema>>;
export type CatalogDatabase = Readonly<z.infer<typeof databaseSchema>>;

export interface Catalog {
  readonly roles: readonly CatalogRole[];
  readonly databases: readonly CatalogDatabase[];
  readonly applied: AppliedRecords;
}

const row = z.object({
  roles: z.array(roleSchema),
  databases: z.array(databaseSchema),
  replication: z.boolean(),
  rewind: z.boolean(),
  applied: z.boolean(),
});

const setting = `substr((select s from unnest(setconfig) s where s like 'role=%' limit 1), 6)`;

/** Documentation 53.8 (pg_authid), 53.16 (pg_db_role_setting), 9.26.2 (aclexplode). */
export const catalogStatement: Statement<z.infer<typeof row>> = {
  prepareAs: 'understudy_catalog',
  row,
  text: `
  select
    (select coalesce(json_agg(json_build_object('name', r.rolname, 'login', r.rolcanlogin,
        'privileged', r.rolsuper or r.rolreplication,
        'attributes', array_remove(array[case when r.rolsuper then 'SUPERUSER' end, case when r.rolcreatedb then 'CREATEDB' end,
          case when r.rolcreaterole then 'CREATEROLE' end, case when r.rolreplication then 'REPLICATION' end,
          case when r.rolbypassrls then 'BYPASSRLS' end], null),
        'comment', shobj_description(r.oid, 'pg_authid'),
        'memberOf', (select coalesce(json_agg(g.rolname), '[]') from pg_auth_members m
          join pg_authid g on g.oid = m.roleid where m.member = r.oid),
        'setRole', (select ${setting} from pg_db_role_setting where setrole = r.oid and setdatabase = 0),
        'setRoleIn', (select coalesce(json_agg(d.datname), '[]') from pg_db_role_setting s
          join pg_database d on d.oid = s.setdatabase where s.setrole = r.oid and ${setting} is not null))), '[]')
      from pg_authid r where r.rolname !~ '^pg_') as roles,
    (select coalesce(json_agg(json_build_object('name', d.datname, 'owner', pg_get_userbyid(d.datdba),
        'connect', (select coalesce(json_agg(g.rolname), '[]')
          from aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a left join pg_authid g on g.oid = a.grantee
          where a.privilege_type = 'CONNECT'),
        'connectionLimit', d.datconnlimit, 'encoding', pg_encoding_to_char(d.encoding), 'locale', d.datcollate,
        'settings', (select coalesce(json_object_agg(split_part(s, '=', 1), substr(s, strpos(s, '=') + 1)), '{}')
          from pg_db_role_setting, unnest(setconfig) s
          where setdatabase = d.oid and setrole = 0 and not starts_with(s, '${retiredMark.setting}=')))), '[]')
      from pg_database d where not d.datistemplate) as databases,
    ${hasTable} as applied,
    exists (select from pg_authid where rolname = '${replicationRole}' and rolreplication and rolcanlogin) as replication,
    ${hasRewindRights} as rewind`,
};

export function findRole(catalog: Catalog, name: string): CatalogRole | undefined {
  return catalog.roles.find((role) => role.name === name);
}
