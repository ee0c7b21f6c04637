/**
 * The login roles of applications: what the server knows of their passwords, and how one is opened and closed.
 *
 * Invariant: a password never comes here, only its verifier, and that stands in no log of the server, whatever is
 * declared to be logged (documentation 20.8.3). An opened login is one that the standbys have replayed, or are named as lacking.
 */
import pg from 'pg';
import { z } from 'zod';
import type { LoginFacts } from '../core/rules/credentials.ts';
import type { Clock } from '../ports/clock.ts';
import { roleComments } from './role-catalog.ts';
import type { Session } from './session.ts';
import type { Deadline } from './waiting.ts';

const q = pg.escapeIdentifier;
const text = pg.escapeLiteral;
const pollMs = 20;

const loginRow = z.object({ role: z.string(), canLogin: z.boolean(), verifierDigest: z.string().nullable() });

export async function readLogins(session: Session, withinMs: number): Promise<readonly LoginFacts[]> {
  return await session.query(
    {
      prepareAs: 'understudy_logins',
      row: loginRow,
      text: `select rolname as role, rolcanlogin as "canLogin",
               encode(sha256(convert_to(rolpassword, 'UTF8')), 'hex') as "verifierDigest"
             from pg_authid where shobj_description(oid, 'pg_authid') = '${roleComments.login}'`,
    },
    withinMs,
  );
}

/** Unlogged, also when it fails. */
function quietly(statement: string): string {
  return `begin; set local log_statement = 'none'; set local log_min_error_statement = 'panic';
    set local log_min_duration_statement = -1; ${statement}; commit`;
}

/** Answers the standbys that stream and had not replayed it in time: their readers could not log in yet. */
export async function openLogin(
  {
    session,
    clock,
    replayWithinMs,
  }: { readonly session: Session; readonly clock: Clock; readonly replayWithinMs: number },
  role: string,
  verifier: string,
  deadline: Deadline,
): Promise<readonly string[]> {
  const left = () => Math.max(1, deadline.leftMs());
  await session.execute(quietly(`alter role ${q(role)} login password ${text(verifier)}`), left());
  const [mark] = await session.query(
    { row: z.object({ lsn: z.string() }), text: 'select pg_current_wal_insert_lsn()::text as lsn' },
    left(),
  );
  const untilMs = clock.boottimeMs() + replayWithinMs;
  for (;;) {
    const lagging = await session.query(
      {
        row: z.object({ name: z.string() }),
        text: `select application_name as name from pg_stat_replication
               where state = 'streaming' and replay_lsn < $1::pg_lsn`,
        values: [mark?.lsn ?? '0/0'],
      },
      left(),
    );
    if (lagging.length === 0 || clock.boottimeMs() >= untilMs) return lagging.map(({ name }) => name);
    await clock.sleep(pollMs);
  }
}

/** Its sessions end, too: while it may not log in nobody takes their place. */
export async function closeLogin(session: Session, role: string, withinMs: number): Promise<void> {
  await session.execute(
    `alter role ${q(role)} nologin password null;
     select pg_terminate_backend(pid) from pg_stat_activity where usename = ${text(role)}`,
    withinMs,
  );
}
