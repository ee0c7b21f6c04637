/** Looks at and ends client sessions. Our own, and those of standbys, are never among them. */
import { z } from 'zod';
import { dispensableMark, type PostgresSession } from '../core/local-postgres.ts';
import { sessionName, superuser } from './layout.ts';
import { retiredMark, roleComments } from './role-catalog.ts';
import type { Session } from './session.ts';

const sessionRow = z.object({
  pid: z.number(),
  user: z.string(),
  database: z.string(),
  application: z.string(),
  client: z.string().nullable(),
  state: z.string(),
  age: z.number(),
});

/** Everything but what the agent itself does. */
const clients = `backend_type = 'client backend' and pid <> pg_backend_pid()
  and not (usename = '${superuser}' and application_name = '${sessionName}')`;

/** Documentation 54.12, `pg_locks`. */
const dispensable = `select pid from pg_locks where locktype = 'advisory' and objsubid = 2
  and classid = ${dispensableMark.classId} and objid = ${dispensableMark.objectId} and pid is not null`;

/** Those that somebody may wait for, oldest transaction first (documentation 27.2.3, `pg_stat_activity`). */
export async function openTransactions(session: Session, withinMs: number): Promise<readonly PostgresSession[]> {
  const rows = await session.query(
    {
      prepareAs: 'understudy_transactions',
      row: sessionRow,
      text: `select pid, coalesce(usename, '') as user, coalesce(datname, '') as database,
          coalesce(application_name, '') as application, host(client_addr) as client, coalesce(state, '') as state,
          greatest(0, extract(epoch from clock_timestamp() - xact_start) * 1000)::float8 as age
        from pg_stat_activity where ${clients} and xact_start is not null and pid not in (${dispensable})
        order by xact_start`,
    },
    withinMs,
  );
  return rows.map(({ pid, user, database, application, client, state, age }) => ({
    pid,
    user,
    database,
    application,
    clientAddress: client,
    state,
    transactionAgeMs: Math.round(age),
  }));
}

/** Databases that are no longer declared, unless somebody let others in by hand. */
const retiredDatabases = `select d.oid from pg_db_role_setting s join pg_database d on d.oid = s.setdatabase
          where s.setrole = 0 and '${retiredMark.setting}=${retiredMark.value}' = any (s.setconfig) and not exists (
            select from aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) where privilege_type = 'CONNECT')`;

/**
 * Sessions of roles of ours that may not log in, or of roles that are no longer there, and those in retired databases: a server
 * asks only at the login. The same on a standby, where the catalog comes from its primary.
 */
export const retiredSessions = `from pg_stat_activity a left join pg_authid r on r.oid = a.usesysid
        where a.backend_type = 'client backend' and a.usesysid is not null and (r.oid is null or not r.rolcanlogin
          and shobj_description(r.oid, 'pg_authid') in ('${roleComments.login}', '${roleComments.application}')
          or not r.rolsuper and a.datid in (${retiredDatabases}))`;

export async function endRetiredSessions(session: Session, withinMs: number): Promise<void> {
  await session.query({ row: z.object({}), text: `select pg_terminate_backend(a.pid) ${retiredSessions}` }, withinMs);
}

/** Of clients and standbys that came with one of these certificates (documentation 28.2.6, `pg_stat_ssl`). */
export async function endRevokedSessions(
  session: Session,
  serials: readonly string[],
  withinMs: number,
): Promise<void> {
  if (serials.length === 0) return;
  await session.query(
    {
      row: z.object({}),
      text: 'select pg_terminate_backend(pid) from pg_stat_ssl where client_serial = any($1::numeric[])',
      values: [serials.map((serial) => BigInt(`0x${serial}`).toString())],
    },
    withinMs,
  );
}

/** Ends those of the sessions that still are clients' (`pg_terminate_backend`). */
export async function endSessions(session: Session, pids: readonly number[], withinMs: number): Promise<void> {
  if (pids.length === 0) return;
  await session.query(
    {
      row: z.object({}),
      text: `select pg_terminate_backend(pid) from pg_stat_activity where ${clients} and pid = any($1::int[])`,
      values: [[...pids]],
    },
    withinMs,
  );
}
