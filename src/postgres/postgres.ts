/**
 * The local PostgreSQL, behind the port that the agent acts through. Puts the parts of this folder together and keeps
 * what outlives one call: the open sessions, the last configuration, what was found out about the binaries.
 *
 * Runs as the operating system user that owns the data directory; PostgreSQL refuses root.
 */
import { mkdir } from 'node:fs/promises';
import { z } from 'zod';
import type { NodeName } from '../core/spec.ts';
import { isUnderstudyError, UnderstudyError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';
import type { WatchedFence } from '../ports/fence.ts';
import type { Postgres, ServerConfiguration, StartAs, Upstream } from '../ports/postgres.ts';
import { sendSignal } from '../process/signal.ts';
import { type Binaries, findBinaries } from './binaries.ts';
import { clone } from './clone.ts';
import { configurationErrors, refuseMistakes, writeConfiguration } from './configuration.ts';
import { readControl } from './control-file.ts';
import { cutByReload } from './cut.ts';
import { createDatabaseApplier } from './databases.ts';
import { lsn } from './facts.ts';
import { initialise } from './initialise.ts';
import { removeKept, settleSwap } from './journal.ts';
import { keptWalIn } from './kept-wal-store.ts';
import { type Directories, layoutOf, type TlsFiles } from './layout.ts';
import { createObserver } from './observation.ts';
import { findServer } from './postmaster-file.ts';
import { promote } from './promote.ts';
import { awaitReload } from './reload-effect.ts';
import { rescue } from './rescue.ts';
import { releaseTimelines, reserveTimelines } from './reserved-timelines.ts';
import { rewind } from './rewind.ts';
import { endRewind, requireStartable, spoilRewind } from './rewind-journal.ts';
import { createSession, type Session } from './session.ts';
import { endSessions, openTransactions } from './sessions.ts';
import { applySlots } from './slots.ts';
import { isInRecovery, start } from './start.ts';
import { observeWalsenders, stop } from './stop.ts';
import { upstreamConninfo, writeUpstream } from './upstream.ts';
import { type Deadline, deadlineOf, waitFor } from './waiting.ts';
import { hearWal } from './wal-hearing.ts';
import { readWal } from './wal-reading.ts';
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
  readonly clock: Clock;
  /** Everything that starts the server or makes it writable passes through it. */
  readonly fence: Pick<WatchedFence, 'startPrimary' | 'startStandby' | 'promote'>;
}

const searchAgainMs = 5_000;
/** How long a standby that must be cut off may take to stop, before it is stopped by force. */
const cutStopMs = 500;
const endSpoiledMs = 30_000;
const insertPosition = { text: 'select pg_current_wal_insert_lsn()::text as mark', row: z.object({ mark: lsn }) };
/** In both of its waits the checkpointer has read its files just before; a checkpoint may be spread over minutes. */
const serverWaits = { walsender: ['WalSenderMain'], checkpointer: ['CheckpointerMain', 'CheckpointWriteDelay'] };
const syncNamesInUse = {
  text: "select current_setting('synchronous_standby_names') as names",
  row: z.object({ names: z.string() }),
};
const conninfoRow = z.object({ conninfo: z.string(), slot: z.string() });

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
  let building = false;
  /** The server that `acting` was made ready for. */
  let warmed: number | null = null;
  let found: Promise<Binaries> | null = null;
  let lastSearch: { readonly error: unknown; readonly atMs: number } | null = null;

  const binaries = async (): Promise<Binaries> => {
    if (lastSearch !== null && clock.boottimeMs() - lastSearch.atMs < searchAgainMs) throw lastSearch.error;
    found ??= findBinaries(major, options.binaryDirectory).catch((error: unknown) => {
      // They may be installed while the agent runs.
      lastSearch = { error, atMs: clock.boottimeMs() };
      found = null;
      throw error;
    });
    return found;
  };

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

  const writeOwn = async (directory: string): Promise<void> => {
    if (configuration !== null) await writeConfiguration(directory, configuration);
  };

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

  const pointAt = async (upstream: Upstream, slot: string, deadline: Deadline): Promise<boolean> => {
    if (!(await writeUpstream(layout.data, { upstream, slot }, reach))) {
      // Written before, perhaps by an agent that died before it could signal.
      const row = await upstreamInUse(acting, deadline);
      if (row?.conninfo === upstreamConninfo(upstream, reach) && row.slot === slot) return false;
    }
    observer.diagnosis.reset();
    reload();
    await waitFor(clock, deadline, 'the server did not take its new upstream', 2, async () => {
      const row = await upstreamInUse(acting, deadline);
      return row?.conninfo === upstreamConninfo(upstream, reach) && row.slot === slot ? true : undefined;
    });
    return true;
  };

  /** A server that was rewound and does not come to a consistent state is ended, and its directory never started again. */
  const judgeFailedStart = async (error: unknown, signal: AbortSignal | undefined): Promise<void> => {
    const isItsOwn = isUnderstudyError(error, 'POSTGRES_FAILED') || isUnderstudyError(error, 'POSTGRES_TIMEOUT');
    if (!isItsOwn || signal?.aborted === true || !(await spoilRewind(layout))) return;
    const force = { patienceMs: 0, awaitStandby: null };
    await stop({ layout, session: acting, clock }, force, deadlineOf(clock, { withinMs: endSpoiledMs }));
    watching.drop();
  };

  const startAs = async (as: StartAs, deadline: Deadline): Promise<void> => {
    await makeDirectories();
    await settleSwap(layout);
    if (!isCluster()) throw new UnderstudyError('POSTGRES_FAILED', `there is no cluster in ${layout.data} to start`);
    const followed = as.role === 'standby' && as.upstream !== null ? { upstream: as.upstream, slot: as.slot } : null;
    await requireStartable(layout, as.role);
    const outcome = await start(
      { layout, binaries: await binaries(), session: acting, clock, address, port, fence: options.fence },
      as.role,
      async () => {
        await writeOwn(layout.data);
        await writeUpstream(layout.data, followed, reach);
        if (as.role === 'standby') releaseTimelines(layout.data);
        observer.diagnosis.reset();
      },
      deadline,
    ).catch(async (error: unknown) => {
      await judgeFailedStart(error, deadline.signal);
      throw error;
    });
    await endRewind(layout);
    observer.refresh();
    if (outcome === 'adopted' && followed !== null) await pointAt(followed.upstream, followed.slot, deadline);
  };

  return {
    async observe(withinMs, depth = 'whole') {
      const seen = await observer.observe(withinMs, depth);
      if (depth === 'brief') return seen;
      if ((seen.state === 'primary' || seen.state === 'standby') && !(acting.isOpen() && warmed === seen.pid)) {
        warmed = seen.pid;
        await warmUp(acting, withinMs);
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
      const changed = await writeConfiguration(layout.data, wanted);
      if (!changed || !reload()) return changed;
      observer.refresh();
      refuseMistakes(await configurationErrors(acting, major, Math.max(1, deadline.leftMs())));
      return true;
    },

    start: (as, act) => startAs(as, deadlineOf(clock, act)),

    follow: (upstream, slot, act) => pointAt(upstream, slot, deadlineOf(clock, act)),

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
      await writeConfiguration(layout.data, wanted);
      reload();
      const left = () => Math.max(1, deadline.leftMs());
      const expected = wanted.parameters.synchronous_standby_names ?? '';
      const fresh = createSession(where);
      try {
        // What a session that begins now sees, the postmaster has read, and passed on.
        await waitFor(clock, deadline, 'the postmaster did not read its files', 2, async () => {
          const session = createSession(where);
          try {
            const [row] = await session.query(syncNamesInUse, left());
            return row?.names === expected ? true : undefined;
          } finally {
            session.drop();
          }
        });
        await awaitReload(fresh, serverWaits, clock, deadline);
        observer.refresh();
        const [row] = await fresh.query(insertPosition, left());
        if (row === undefined) throw new UnderstudyError('BROKEN_INVARIANT', 'the server answered without a row');
        // The position may lie behind a page header that is flushed only with the next record: here is one.
        await fresh.execute("select pg_logical_emit_message(true, 'understudy', 'durability')", left(), act.signal);
        return { mark: row.mark };
      } finally {
        fresh.drop();
      }
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

    async hearWal(ask, act) {
      const deadline = deadlineOf(clock, act);
      const look = async () => await observer.observe(Math.max(1, deadline.leftMs()), 'brief');
      const seen = await look();
      const reading = readControl(layout.controlFile);
      if (seen.state !== 'standby' || seen.walEnd === null || reading.found !== 'control') return 0;
      const { walSegmentBytes: segmentBytes } = reading.control;
      const replay = async () => {
        const now = await look();
        const isStandby = now.state === 'standby';
        return { at: isStandby ? now.replayedLsn : null, isExhausted: isStandby && now.walEnd !== null };
      };
      const { timeline, walEnd: end } = seen;
      return await hearWal({ layout, clock, timeline, end, segmentBytes, ask, reload, replay }, deadline);
    },

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

    async warm(names, act) {
      const deadline = deadlineOf(clock, act);
      for (const database of names) {
        const session = createSession({ ...where, database });
        try {
          await session.execute('select', Math.max(1, deadline.leftMs()), act.signal);
        } finally {
          session.drop();
        }
      }
    },

    applySlots: (targets, act) => applySlots(acting, targets, deadlineOf(clock, act)),
    applyDatabases: (wanted, applications, act) => databases.apply(wanted, applications, deadlineOf(clock, act)),
    openTransactions: (act) => openTransactions(acting, act.withinMs),
    endSessions: (pids, act) => endSessions(acting, pids, act.withinMs),

    async close() {
      watching.drop();
      acting.drop();
    },
  };
}

async function upstreamInUse(session: Session, deadline: Deadline): Promise<z.infer<typeof conninfoRow> | undefined> {
  const text = `select current_setting('primary_conninfo') as conninfo, current_setting('primary_slot_name') as slot`;
  const [row] = await session.query(
    { text, row: conninfoRow, prepareAs: 'understudy_upstream' },
    Math.max(1, deadline.leftMs()),
  );
  return row;
}

/**
 * Connects, and lets the server prepare what a stop and a promotion ask, so that these lose no time: 3 ms at least.
 * Whether that works is for the act itself to say.
 */
async function warmUp(session: Session, withinMs: number): Promise<void> {
  await isInRecovery(session, withinMs).catch(() => undefined);
  await observeWalsenders(session, withinMs);
}
