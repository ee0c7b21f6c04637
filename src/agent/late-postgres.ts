/**
 * The local PostgreSQL before the spec is known: which major version, which port, which directory stand in the spec.
 *
 * Invariant: until then nothing is done to any server, and what is observed is `unknown`. The spec's major version and
 * port never change under a running agent (`plan` refuses that), so the adapter is made once.
 */
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Postgres } from '../ports/postgres.ts';

export function createLatePostgres(create: () => Postgres | null): Postgres {
  let made: Postgres | null = null;
  const known = (): Postgres => {
    made ??= create();
    if (made === null) throw new UnderstudyError('NOT_FOUND', 'there is no spec in the store yet');
    return made;
  };
  return {
    async observe(withinMs, depth) {
      made ??= create();
      if (made === null) return { state: 'unknown', because: 'the spec has not been read yet', pid: null };
      return await made.observe(withinMs, depth);
    },
    initialise: async (options) => await known().initialise(options),
    clone: async (...all) => await known().clone(...all),
    rescue: async (...all) => await known().rescue(...all),
    rewind: async (...all) => await known().rewind(...all),
    lostReports: async () => (await made?.lostReports()) ?? [],
    discardKept: async (options) => await known().discardKept(options),
    configure: async (...all) => await known().configure(...all),
    obeyRevocations: async (...all) => await made?.obeyRevocations(...all),
    renewCertificate: async () => await made?.renewCertificate(),
    start: async (...all) => await known().start(...all),
    follow: async (...all) => await known().follow(...all),
    archiveReceived: async (after) => await known().archiveReceived(after),
    promote: async (...all) => await known().promote(...all),
    stop: async (...all) => await known().stop(...all),
    cutOff: async (options) => await known().cutOff(options),
    setSyncStandbys: async (configuration, options) => await known().setSyncStandbys(configuration, options),
    warm: async (databases, options) => await known().warm(databases, options),
    readWal: async (request) => await known().readWal(request),
    hearWal: async (...all) => await known().hearWal(...all),
    heartbeat: async (options) => await known().heartbeat(options),
    probeWrite: async (options) => await known().probeWrite(options),
    checkpoint: async (options) => await known().checkpoint(options),
    applySlots: async (...all) => await known().applySlots(...all),
    applyDatabases: async (...all) => await known().applyDatabases(...all),
    logins: async (options) => await known().logins(options),
    openLogin: async (...all) => await known().openLogin(...all),
    lacking: async (...all) => await known().lacking(...all),
    closeLogin: async (...all) => await known().closeLogin(...all),
    databaseState: async (...all) => await known().databaseState(...all),
    dropDatabase: async (...all) => await known().dropDatabase(...all),
    openTransactions: async (options) => await known().openTransactions(options),
    endSessions: async (...all) => await known().endSessions(...all),
    endRetiredSessions: async (options) => await known().endRetiredSessions(options),
    close: async () => await made?.close(),
  };
}
