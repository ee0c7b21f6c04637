/**
 * Brings databases, roles and rights to what is declared. One statement when nothing has to change.
 *
 * Rights inside a database can only be seen and given there, so they are given when the declaration changed or when
 * this agent has not done so yet; all of it may be repeated. Runs on the primary only.
 */
import { z } from 'zod';
import type { DatabaseSpec } from '../core/spec.ts';
import type { ApplicationRole } from '../ports/postgres.ts';
import { type Catalog, databaseGrants, planDatabaseChanges } from './database-plan.ts';
import { replicationRole, rewindRole } from './layout.ts';
import { hasRewindRights, rewindRoleStatements } from './rewind-role.ts';
import { createSession, type Session } from './session.ts';
import type { Deadline } from './waiting.ts';

const catalogSchema = z.object({
  roles: z.array(
    z.object({
      name: z.string(),
      login: z.boolean(),
      privileged: z.boolean(),
      comment: z.string().nullable(),
      memberOf: z.array(z.string()),
    }),
  ),
  databases: z.array(z.object({ name: z.string(), owner: z.string(), publicConnect: z.boolean() })),
  role_settings: z.array(z.object({ role: z.string(), database: z.string(), setRole: z.string() })),
  replication: z.boolean(),
  rewind: z.boolean(),
});

const catalogText = `
  select
    (select coalesce(json_agg(json_build_object('name', r.rolname, 'login', r.rolcanlogin,
        'privileged', r.rolsuper or r.rolreplication, 'comment', shobj_description(r.oid, 'pg_authid'),
        'memberOf', (select coalesce(json_agg(g.rolname), '[]') from pg_auth_members m
          join pg_roles g on g.oid = m.roleid where m.member = r.oid))), '[]')
      from pg_roles r where r.rolname !~ '^pg_') as roles,
    (select coalesce(json_agg(json_build_object('name', d.datname, 'owner', pg_get_userbyid(d.datdba),
        'publicConnect', exists (select from aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a where a.grantee = 0))),
        '[]')
      from pg_database d where not d.datistemplate) as databases,
    (select coalesce(json_agg(json_build_object('role', r.rolname, 'database', d.datname,
        'setRole', substr(setting, 6))), '[]')
      from pg_db_role_setting s join pg_roles r on r.oid = s.setrole join pg_database d on d.oid = s.setdatabase,
        unnest(s.setconfig) setting
      where setting like 'role=%') as role_settings,
    exists (select from pg_roles where rolname = '${replicationRole}' and rolreplication and rolcanlogin) as replication,
    ${hasRewindRights} as rewind`;

export interface DatabaseApplier {
  apply(
    databases: readonly DatabaseSpec[],
    applications: readonly ApplicationRole[],
    deadline: Deadline,
  ): Promise<void>;
}

export function createDatabaseApplier(
  session: Session,
  where: { readonly socketDirectory: string; readonly port: number; readonly major: number },
): DatabaseApplier {
  /** What was granted last inside the databases. */
  let granted: string | null = null;

  const left = (deadline: Deadline): number => {
    deadline.check('applying databases and roles');
    return Math.max(1, deadline.leftMs());
  };

  const readCatalog = async (
    deadline: Deadline,
  ): Promise<Catalog & { readonly replication: boolean; readonly rewind: boolean }> => {
    const [row] = await session.query(
      { text: catalogText, row: catalogSchema, prepareAs: 'understudy_catalog' },
      left(deadline),
    );
    return {
      major: where.major,
      roles: row?.roles ?? [],
      databases: row?.databases ?? [],
      roleSettings: row?.role_settings ?? [],
      replication: row?.replication ?? false,
      rewind: row?.rewind ?? false,
    };
  };

  const grantInside = async (database: DatabaseSpec, applications: readonly ApplicationRole[], deadline: Deadline) => {
    const inside = createSession({ ...where, database: database.name });
    try {
      await inside.execute(databaseGrants(database, applications), left(deadline));
    } finally {
      inside.drop();
    }
  };

  return {
    async apply(databases, applications, deadline) {
      const catalog = await readCatalog(deadline);
      if (!catalog.replication) {
        const known = catalog.roles.some(({ name }) => name === replicationRole);
        await session.execute(
          `${known ? 'ALTER' : 'CREATE'} ROLE ${replicationRole} LOGIN REPLICATION`,
          left(deadline),
        );
      }
      if (!catalog.rewind) {
        const known = catalog.roles.some(({ name }) => name === rewindRole);
        for (const statement of rewindRoleStatements(known)) await session.execute(statement, left(deadline));
      }
      const plan = planDatabaseChanges(catalog, databases, applications);
      for (const statement of plan.statements) await session.execute(statement, left(deadline));
      if (plan.endSessionsOf.length > 0) {
        await session.query(
          {
            row: z.object({}),
            text: 'select pg_terminate_backend(pid) from pg_stat_activity where usename = any($1::name[])',
            values: [[...plan.endSessionsOf]],
          },
          left(deadline),
        );
      }
      const wanted = JSON.stringify([databases, applications]);
      if (granted === wanted && plan.statements.length === 0) return;
      for (const database of databases) await grantInside(database, applications, deadline);
      granted = wanted;
    },
  };
}
