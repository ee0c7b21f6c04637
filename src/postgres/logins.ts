/**
 * The login roles of applications: what the server knows of their passwords, and how one is opened and closed.
 *
 * Invariant: a password never comes here, only its verifier, by which its reader could play the server. It stands in no log of
 * the server, whatever is declared to be logged (documentation 20.8), nor in pg_stat_activity or pg_stat_statements; pg_authid
 * has it, and what an extension of somebody else's records of statements is that extension's. An opened login is one
 * that the standbys have replayed, or are named as lacking. What is shut is visible before its sessions are ended.
 */
import pg from 'pg';
import { z } from 'zod';
import { formatLsn, type Lsn, parseLsn } from '../core/lsn.ts';
import type { LoginFacts } from '../core/rules/credentials.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';
import { roleComments } from './role-catalog.ts';
import { createSession, type Session, type SessionSettings, type Where } from './session.ts';
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

/**
 * Whether a statement is logged is settled before the first of its text has run and after the last, so that a text can't keep
 * itself out of the log: the session does, from its beginning. Only a superuser's may.
 */
const unrecorded: SessionSettings = {
  log_statement: 'none',
  log_min_error_statement: 'panic',
  log_min_duration_statement: '-1',
  log_min_duration_sample: '-1',
  log_transaction_sample_rate: '0',
  log_duration: 'off',
  debug_print_parse: 'off',
  debug_print_rewritten: 'off',
  debug_print_plan: 'off',
  // Besides, the log tells what a session was doing that crashed, or stood in the way of another.
  track_activities: 'off',
  // Means nothing where that extension is not loaded.
  'pg_stat_statements.track_utility': 'off',
};

async function writeVerifier(where: Where, role: string, verifier: string, deadline: Deadline): Promise<void> {
  const session = createSession({ ...where, settings: unrecorded });
  try {
    const statement = `alter role ${q(role)} login password ${text(verifier)}`;
    await session.execute(statement, Math.max(1, deadline.leftMs()), deadline.signal);
  } finally {
    session.drop();
  }
}

/** Answers a position in the WAL that this is before. */
export async function openLogin(
  session: Session,
  where: Where,
  role: string,
  verifier: string,
  deadline: Deadline,
): Promise<Lsn> {
  await writeVerifier(where, role, verifier, deadline);
  const statement = { row: z.object({ lsn: z.string() }), text: 'select pg_current_wal_insert_lsn()::text as lsn' };
  const [row] = await session.query(statement, Math.max(1, deadline.leftMs()));
  const mark = parseLsn(row?.lsn ?? '');
  if (mark === undefined) throw new UnderstudyError('BROKEN_INVARIANT', 'PostgreSQL named no position in the WAL');
  return mark;
}

/** The standbys that stream and had not replayed it in time: what was opened before it is closed to their readers yet. */
export async function lackingStandbys(
  session: Session,
  clock: Clock,
  {
    mark,
    replayWithinMs,
    except = [],
  }: { readonly mark: Lsn; readonly replayWithinMs: number; readonly except?: readonly string[] },
  deadline: Deadline,
): Promise<readonly string[]> {
  const untilMs = clock.boottimeMs() + replayWithinMs;
  for (;;) {
    const lagging = await session.query(
      {
        row: z.object({ name: z.string() }),
        // One that has not said anything yet may have replayed nothing. A copy under way says, but not of replay: it has no readers.
        text: `select application_name as name from pg_stat_replication
               where state = 'streaming' and coalesce(replay_lsn < $1::pg_lsn, reply_time is null)
                 and application_name <> all ($2::text[])`,
        values: [formatLsn(mark), except],
      },
      Math.max(1, deadline.leftMs()),
    );
    if (lagging.length === 0 || clock.boottimeMs() >= untilMs) return lagging.map(({ name }) => name);
    await clock.sleep(pollMs);
  }
}

/** Its sessions end, too: nobody takes their place, since each is asked in turn and sees the door shut. */
export async function closeLogin(session: Session, role: string, deadline: Deadline): Promise<void> {
  const left = () => Math.max(1, deadline.leftMs());
  await session.execute(`alter role ${q(role)} nologin password null`, left());
  await session.execute(`select pg_terminate_backend(pid) from pg_stat_activity where usename = ${text(role)}`, left());
}
