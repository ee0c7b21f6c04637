/**
 * Acts through SQL on a server that runs: what is inside it, and who is connected.
 *
 * Holds nothing but sessions; every act ends within its own time.
 */
import type { Clock } from '../ports/clock.ts';
import type { Postgres } from '../ports/postgres.ts';
import { createDatabaseApplier } from './databases.ts';
import { heartbeat } from './heartbeat.ts';
import { closeLogin, lackingStandbys, openLogin, readLogins } from './logins.ts';
import { createSession, type Session, type Where } from './session.ts';
import { endRetiredSessions, endSessions, openTransactions } from './sessions.ts';
import { sharedLook } from './shared-look.ts';
import { applySlots } from './slots.ts';
import { deadlineOf } from './waiting.ts';
import { warmDatabases } from './warm-up.ts';

export interface RunningParts {
  readonly where: Where;
  readonly major: number;
  readonly session: Session;
  readonly clock: Clock;
}

type RunningActs = Pick<
  Postgres,
  | 'checkpoint'
  | 'heartbeat'
  | 'warm'
  | 'applySlots'
  | 'applyDatabases'
  | 'databaseState'
  | 'dropDatabase'
  | 'logins'
  | 'openLogin'
  | 'lacking'
  | 'closeLogin'
  | 'openTransactions'
  | 'endSessions'
  | 'endRetiredSessions'
>;

export function createRunningActs({ where, major, session, clock }: RunningParts): RunningActs {
  const databases = createDatabaseApplier(session, { ...where, major });
  return {
    async checkpoint(act) {
      // Its own session: it may take as long as the disk wants.
      const own = createSession(where);
      try {
        await own.execute('checkpoint', act.withinMs, act.signal);
      } finally {
        own.drop();
      }
    },
    heartbeat: (act) => heartbeat(session, act.withinMs),
    warm: (names, act) => warmDatabases(where, names, deadlineOf(clock, act)),
    applySlots: (targets, act) => applySlots(session, targets, deadlineOf(clock, act)),
    applyDatabases: (wanted, applications, act) =>
      databases.apply(wanted, applications, deadlineOf(clock, act), act.reverts),
    databaseState: sharedLook(databases, clock),
    dropDatabase: (name, wanted, applications, act) =>
      databases.drop(name, wanted, applications, deadlineOf(clock, act)),
    logins: (act) => readLogins(session, act.withinMs),
    openLogin: (role, verifier, act) => openLogin(session, where, role, verifier, deadlineOf(clock, act)),
    lacking: (mark, act) => lackingStandbys(session, clock, { mark, ...act }, deadlineOf(clock, act)),
    closeLogin: (role, act) => closeLogin(session, role, deadlineOf(clock, act)),
    openTransactions: (act) => openTransactions(session, act.withinMs),
    endSessions: (pids, act) => endSessions(session, pids, act.withinMs),
    endRetiredSessions: (act) => endRetiredSessions(session, act.withinMs),
  };
}
