/**
 * The local PostgreSQL, behind the port that the agent acts through. Puts the parts of this folder together and keeps
 * what outlives one call: the open sessions, the last configuration, what was found out about the binaries.
 *
 * Runs as the operating system user that owns the data directory; PostgreSQL refuses root.
 */
import { mkdir } from 'node:fs/promises';
import type { NodeName } from '../core/spec.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';
import type { WatchedFence } from '../ports/fence.ts';
import type { Postgres, ServerConfiguration, StartAs } from '../ports/postgres.ts';
import { sendSignal } from '../process/signal.ts';
import { clone } from './clone.ts';
import { configurationErrors, refuseMistakes, writeConfiguration } from './configuration.ts';
import { readControl } from './control-file.ts';
import { cutByReload } from './cut.ts';
import { createDatabaseApplier } from './databases.ts';
import { initialise } from './initialise.ts';
import { removeKept } from './journal.ts';
import { keptWalIn } from './kept-wal-store.ts';
import { hearLastWords } from './last-words.ts';
import { type Directories, layoutOf, type TlsFiles } from './layout.ts';
import { closeLogin, openLogin, readLogins } from './logins.ts';
import { createObserver } from './observation.ts';
import { findServer } from './postmaster-file.ts';
import { promote } from './promote.ts';
import { rememberBinaries } from './remembered-binaries.ts';
import { rescue } from './rescue.ts';
import { reserveTimelines } from './reserved-timelines.ts';
import { rewind } from './rewind.ts';
import { startInRole } from './role-start.ts';
import { createSession } from './session.ts';
import { endRetiredSessions, endRevokedSessions, endSessions, openTransactions } from './sessions.ts';
import { sharedLook } from './shared-look.ts';
import { applySlots } from './slots.ts';
import { stop } from './stop.ts';
import { markSyncStandbys } from './sync-standby-change.ts';
import { writeUpstream } from './upstream.ts';
import { pointAt } from './upstream-change.ts';
import { type Deadline, deadlineOf } from './waiting.ts';
import { readWal } from './wal-reading.ts';
import { warmDatabases, warmSession } from './warm-up.ts';
import { createWriteProbe } from './write-probe.ts';

export interface PostgresOptions {
  readonly directories: Directories;
  readonly major: number;
  /** `null`: found by the major version. */
  readonly binaryDirectory: string | null;
  readonly node: NodeName;
  readonly domain: string;
  /** Where the server listens; must be what the configuration says. */
  readonly address: string;
  readonly port: number;
  readonly tls: TlsFiles;
  /** The file of lists that the server judges clients by; asked for before each writing of its settings. `null`: none. */
  readonly revocationList?: (() => string | null) | undefined;
  readonly clock: Clock;
  /** Everything that starts the server or makes it writable passes through it. */
  readonly fence: Pick<WatchedFence, 'startPrimary' | 'startStandby' | 'promote'>;
}

/** How long a standby that must be cut off may take to stop, before it is stopped by force. */
const cutStopMs = 500;

export function createPostgres(options: PostgresOptions): Postgres {
  const { clock, major, port, address } = options;
  const layout = layoutOf(options.directories);
  const reach = { node: options.node, domain: options.domain, tls: options.tls };
  const where = { socketDirectory: layout.run, port };
  // Observation keeps a session of its own, so that a long act never delays a look.
  const watching = createSession(where);
  const acting = createSession(where);
  const databases = createDatabaseApplier(acting, { ...where, major });
  const probeWrite = createWriteProbe({ where, watching, clock });
  let configuration: ServerConfiguration | null = null;
  let writing: Promise<unknown> = Promise.resolve();
  let building = false;
  /** The server that `acting` was made ready for. */
  let warmed: number | null = null;

  const binaries = rememberBinaries(major, options.binaryDirectory, clock);

  const observer = createObserver({
    layout,
    session: watching,
    clock,
    domain: options.domain,
    major,
    binaries,
    isBuilding: () => building,
  });

  const makeDirectories = async (): Promise<void> => {
    for (const directory of [layout.run, layout.log, layout.state])
      await mkdir(directory, { recursive: true, mode: 0o700 });
  };

  /** Anything else is not ours to write into. */
  const isCluster = (): boolean => readControl(layout.controlFile).found !== 'nothing';

  /** One after the other: whoever writes last has the settings of then. */
  const write = async (directory: string): Promise<boolean> => {
    const written = writing.then(async () => {
      if (configuration === null) return false;
      // A server does not start with a list that is missing or damaged: it is named only while it is whole.
      const list = options.revocationList?.() ?? null;
      const parameters = list === null ? {} : { ssl_crl_file: list };
      return await writeConfiguration(directory, {
        ...configuration,
        parameters: { ...configuration.parameters, ...parameters },
      });
    });
    writing = written.catch(() => undefined);
    return await written;
  };

  const writeOwn = async (directory: string): Promise<void> => void (await write(directory));

  /** Only one at a time renames directories, and the observer keeps its hands off meanwhile. */
  const alone = async <T>(work: () => Promise<T>): Promise<T> => {
    if (building) throw new UnderstudyError('BROKEN_INVARIANT', 'a data directory is being built already');
    building = true;
    try {
      await makeDirectories();
      return await work();
    } finally {
      building = false;
    }
  };

  /** A copy has its source's settings in it, address and all. */
  const construct = async <T>(build: () => Promise<T>): Promise<T> => {
    if (configuration === null)
      throw new UnderstudyError('BROKEN_INVARIANT', 'configure comes before every construction');
    return await alone(build);
  };

  const reload = (): boolean => {
    const server = findServer(layout.data, layout.postmasterFile);
    return server.alive === 'postmaster' && sendSignal(server.postmaster, 'SIGHUP') === 'sent';
  };

  const forgetDiagnosis = () => observer.diagnosis.reset();
  const upstreamChange = { layout, session: acting, clock, reach, forgetDiagnosis, reload };
  const roleStart = {
    ...upstreamChange,
    address,
    port,
    fence: options.fence,
    binaries,
    writeOwn,
    started: () => observer.refresh(),
    ended: () => watching.drop(),
  };

  const startAs = async (as: StartAs, deadline: Deadline): Promise<void> => {
    await makeDirectories();
    await startInRole(roleStart, as, deadline);
  };

  return {
    async observe(withinMs, depth = 'whole') {
      const seen = await observer.observe(withinMs, depth);
      if (depth === 'brief') return seen;
      if ((seen.state === 'primary' || seen.state === 'standby') && !(acting.isOpen() && warmed === seen.pid)) {
        warmed = seen.pid;
        await warmSession(acting, withinMs);
      }
      return seen;
    },

    initialise: (act) =>
      construct(async () => initialise(layout, await binaries(), writeOwn, clock, deadlineOf(clock, act))),

    clone: (upstream, expected, onProgress, act) =>
      construct(async () =>
        clone(
          { layout, binaries: await binaries(), reach, clock, prepare: writeOwn },
          upstream,
          expected,
          onProgress,
          deadlineOf(clock, act),
        ),
      ),

    // Reads what is there as it is: no settings of ours are needed.
    rescue: (request, act) =>
      alone(async () =>
        rescue({ layout, binaries: await binaries(), node: options.node, clock }, request, deadlineOf(clock, act)),
      ),

    rewind: (upstream, expected, onProgress, act) =>
      construct(async () =>
        rewind(
          { layout, binaries: await binaries(), reach, clock, prepare: writeOwn },
          upstream,
          expected,
          onProgress,
          deadlineOf(clock, act),
        ),
      ),

    lostReports: () => keptWalIn(layout.state).reports(),

    discardKept: () => removeKept(layout),

    async configure(wanted, act) {
      configuration = wanted;
      // Nothing there yet: whoever makes the directory writes the files.
      if (building || !isCluster()) return false;
      const deadline = deadlineOf(clock, act);
      const changed = await write(layout.data);
      if (!changed || !reload()) return changed;
      observer.refresh();
      refuseMistakes(await configurationErrors(acting, major, Math.max(1, deadline.leftMs())));
      return true;
    },

    async obeyRevocations(serials, listIsNew, act) {
      const deadline = deadlineOf(clock, act);
      if (building || !isCluster()) return;
      if (listIsNew) await write(layout.data);
      const server = findServer(layout.data, layout.postmasterFile);
      if (server.alive !== 'postmaster') return;
      if (listIsNew) reload();
      await endRevokedSessions(acting, serials, Math.max(1, deadline.leftMs()));
    },

    async renewCertificate() {
      // While a directory is built nothing runs in it, or a server that ends soon.
      if (!building) reload();
    },

    start: (as, act) => startAs(as, deadlineOf(clock, act)),

    follow: (upstream, slot, act) => pointAt(upstreamChange, upstream, slot, deadlineOf(clock, act)),

    async cutOff(act) {
      const deadline = deadlineOf(clock, act);
      await writeUpstream(layout.data, null, reach);
      if (await cutByReload({ layout, port, clock }, act.signal)) return;
      await stop({ layout, session: acting, clock }, { patienceMs: cutStopMs, awaitStandby: null }, deadline);
      watching.drop();
      await startAs({ role: 'standby', upstream: null, slot: '' }, deadline);
    },

    async setSyncStandbys(wanted, act) {
      const deadline = deadlineOf(clock, act);
      configuration = wanted;
      await write(layout.data);
      reload();
      const names = wanted.parameters.synchronous_standby_names ?? '';
      return await markSyncStandbys({ where, clock, names, changed: () => observer.refresh() }, deadline);
    },

    async promote(timeline, act) {
      if (timeline !== null) {
        const seen = await observer.observe(act.withinMs, 'brief');
        if (seen.state === 'standby') await reserveTimelines(layout.data, seen.timeline, timeline);
      }
      const isPrimary = async (withinMs: number) => (await observer.observe(withinMs, 'brief')).state === 'primary';
      await promote(layout, options.fence, isPrimary, clock, deadlineOf(clock, act));
      observer.refresh();
    },

    async stop(how, act) {
      const outcome = await stop({ layout, session: acting, clock }, how, deadlineOf(clock, act));
      watching.drop();
      return outcome;
    },

    readWal: (request) => readWal(layout, request),

    hearWal: (ask, act) => hearLastWords({ layout, clock, observer, ask, reload }, deadlineOf(clock, act)),

    probeWrite,

    async checkpoint(act) {
      // Its own session: it may take as long as the disk wants.
      const session = createSession(where);
      try {
        await session.execute('checkpoint', act.withinMs, act.signal);
      } finally {
        session.drop();
      }
    },

    warm: (names, act) => warmDatabases(where, names, deadlineOf(clock, act)),

    applySlots: (targets, act) => applySlots(acting, targets, deadlineOf(clock, act)),
    applyDatabases: (wanted, applications, act) =>
      databases.apply(wanted, applications, deadlineOf(clock, act), act.reverts),
    databaseState: sharedLook(databases, clock),
    dropDatabase: (name, wanted, applications, act) =>
      databases.drop(name, wanted, applications, deadlineOf(clock, act)),
    logins: (act) => readLogins(acting, act.withinMs),
    openLogin: (role, verifier, act) =>
      openLogin(
        { session: acting, where, clock, replayWithinMs: act.replayWithinMs },
        role,
        verifier,
        deadlineOf(clock, act),
      ),
    closeLogin: (role, act) => closeLogin(acting, role, deadlineOf(clock, act)),
    openTransactions: (act) => openTransactions(acting, act.withinMs),
    endSessions: (pids, act) => endSessions(acting, pids, act.withinMs),
    endRetiredSessions: (act) => endRetiredSessions(acting, act.withinMs),

    async close() {
      watching.drop();
      acting.drop();
    },
  };
}
