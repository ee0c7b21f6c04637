/**
 * The local PostgreSQL, behind the port that the agent acts through. Puts the parts of this folder together and keeps
 * what outlives one call: the open sessions, the wanted settings, what was found out about the binaries.
 *
 * Runs as the operating system user that owns the data directory; PostgreSQL refuses root.
 */
import type { NodeName } from '../core/spec.ts';
import type { Clock } from '../ports/clock.ts';
import type { WatchedFence } from '../ports/fence.ts';
import type { Postgres } from '../ports/postgres.ts';
import { releaseArchiver } from './archiver.ts';
import { createDirectoryActs } from './directory-acts.ts';
import { hearLastWords } from './last-words.ts';
import { type Directories, layoutOf, type TlsFiles } from './layout.ts';
import { createObserver } from './observation.ts';
import { createOwnSettings } from './own-settings.ts';
import { rememberBinaries } from './remembered-binaries.ts';
import { createRoleActs } from './role-acts.ts';
import { createRunningActs } from './running-acts.ts';
import { createSession } from './session.ts';
import { createSettingsActs, reloadServer } from './settings-acts.ts';
import { deadlineOf } from './waiting.ts';
import { readWal } from './wal-reading.ts';
import { warmSession } from './warm-up.ts';
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

export function createPostgres(options: PostgresOptions): Postgres {
  const { clock, major, port, address, node, domain, tls, fence } = options;
  const layout = layoutOf(options.directories);
  // An agent that was killed in the middle of a stop may have left it held while the server goes on.
  releaseArchiver(layout);
  const reach = { node, domain, tls };
  const where = { socketDirectory: layout.run, port };
  // Observation keeps a session of its own, so that a long act never delays a look.
  const watching = createSession(where);
  const acting = createSession(where);
  const binaries = rememberBinaries(major, options.binaryDirectory, clock);
  const settings = createOwnSettings(options.revocationList ?? (() => null));
  const directory = createDirectoryActs({ layout, node, reach, clock, settings, binaries });
  const { isBuilding } = directory;
  const observer = createObserver({ layout, session: watching, clock, domain, major, binaries, isBuilding });
  const reload = () => reloadServer(layout);
  const common = { layout, where, major, session: acting, clock, reach, settings, observer, isBuilding };
  /** The server that `acting` was made ready for. */
  let warmed: number | null = null;

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
    ...directory.acts,
    ...createSettingsActs(common),
    ...createRoleActs({
      ...common,
      address,
      port,
      fence,
      binaries,
      reload,
      forgetDiagnosis: () => observer.diagnosis.reset(),
      writeOwn: async (into) => void (await settings.write(into)),
      started: () => observer.refresh(),
      ended: () => watching.drop(),
    }),
    ...createRunningActs(common),
    readWal: (request) => readWal(layout, request),
    hearWal: (ask, act) => hearLastWords({ layout, clock, observer, ask, reload }, deadlineOf(clock, act)),
    probeWrite: createWriteProbe({ where, watching, clock }),
    async close() {
      watching.drop();
      acting.drop();
    },
  };
}
