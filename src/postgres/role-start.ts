/**
 * Starts this node's server in a role, with this node's own files, or adopts the one that runs in it.
 *
 * Invariant: a server that was rewound and does not come to a consistent state is ended, and its directory never started
 * again (rewind-journal.ts). How a server is started and found ready stands in start.ts.
 */
import { isUnderstudyError, UnderstudyError } from '../errors/understudy-error.ts';
import type { StartAs } from '../ports/postgres.ts';
import { releaseArchiver } from './archiver.ts';
import type { Binaries } from './binaries.ts';
import { readControl } from './control-file.ts';
import { settleSwap } from './journal.ts';
import { releaseTimelines } from './reserved-timelines.ts';
import { endRewind, requireStartable, spoilRewind } from './rewind-journal.ts';
import { type StartingFence, start } from './start.ts';
import { stop } from './stop.ts';
import { writeUpstream } from './upstream.ts';
import { pointAt, type UpstreamChange } from './upstream-change.ts';
import { type Deadline, deadlineOf } from './waiting.ts';

const endSpoiledMs = 30_000;

export interface RoleStart extends UpstreamChange {
  readonly address: string;
  readonly port: number;
  readonly fence: StartingFence;
  binaries(): Promise<Binaries>;
  /** Writes this node's configuration files into the directory. */
  writeOwn(directory: string): Promise<void>;
  /** It runs, with the settings of now. */
  started(): void;
  /** The server was ended here: sessions to it are of no more use. */
  ended(): void;
}

/** Throws POSTGRES_FAILED, POSTGRES_TIMEOUT, PORT_IN_USE, POSTGRES_BINARIES_MISSING, and what the fence refuses. */
export async function startInRole(parts: RoleStart, as: StartAs, deadline: Deadline): Promise<void> {
  const { layout, reach, session, clock, address, port, fence } = parts;
  // A stop that did not come to its end left it held.
  releaseArchiver(layout);
  await settleSwap(layout);
  if (readControl(layout.controlFile).found === 'nothing') {
    throw new UnderstudyError('POSTGRES_FAILED', `there is no cluster in ${layout.data} to start`);
  }
  const followed =
    as.role === 'standby' && as.upstream !== null
      ? { upstream: as.upstream, slot: as.slot, restoreCommand: null }
      : null;
  await requireStartable(layout, as.role);
  const outcome = await start(
    { layout, binaries: await parts.binaries(), session, clock, address, port, fence },
    as.role,
    async () => {
      await parts.writeOwn(layout.data);
      await writeUpstream(layout.data, followed, reach);
      if (as.role === 'standby') releaseTimelines(layout.data);
      parts.forgetDiagnosis();
    },
    deadline,
  ).catch(async (error: unknown) => {
    await judgeFailedStart(parts, error, deadline.signal);
    throw error;
  });
  await endRewind(layout);
  parts.started();
  if (outcome === 'adopted' && followed !== null) await pointAt(parts, followed, deadline);
}

async function judgeFailedStart(
  { layout, session, clock, ended }: RoleStart,
  error: unknown,
  signal: AbortSignal | undefined,
): Promise<void> {
  const isItsOwn = isUnderstudyError(error, 'POSTGRES_FAILED') || isUnderstudyError(error, 'POSTGRES_TIMEOUT');
  if (!isItsOwn || signal?.aborted === true || !(await spoilRewind(layout))) return;
  const force = { patienceMs: 0, awaitStandby: null };
  await stop({ layout, session, clock }, force, deadlineOf(clock, { withinMs: endSpoiledMs }));
  ended();
}
