/**
 * Stops the server and proves it gone.
 *
 * Gone means: the postmaster's process has ended, no process works in the data directory, and the shared memory
 * segment that postmaster.pid named has no attachment left. The postmaster's end alone is not enough: after its death
 * a running backend went on committing and acknowledging for 1.9 s. A zombie counts as ended.
 *
 * Escalates: fast (SIGINT), after `patienceMs` immediate (SIGQUIT), then SIGKILL for everything (documentation 19.5).
 * Two things are known to hold up a fast stop and are ended on the way, so that it stays a clean one: processes
 * stopped by a signal are continued, and once the shutdown checkpoint is written, walsenders of standbys that nobody
 * waits for are ended (one frozen standby held a stop for more than 10 s), and in the end that of the awaited one, too.
 * The archiver would hold it up as well, and is held back for as long as the server is down (archiver.ts).
 */
import { z } from 'zod';
import type { NodeName } from '../core/spec.ts';
import type { Clock } from '../ports/clock.ts';
import type { ShutdownFacts } from '../ports/postgres.ts';
import { identify, type ProcessIdentity, processesIn, readCommandLine, readProcess } from '../process/identity.ts';
import { sendSignal } from '../process/signal.ts';
import { endArchiveCommand, holdArchiver, releaseArchiver } from './archiver.ts';
import { controlTimeline, readControl } from './control-file.ts';
import type { Layout } from './layout.ts';
import { attachments, findServer, type Server, type SharedMemory } from './postmaster-file.ts';
import type { Session } from './session.ts';
import { continueStopped } from './stopped-processes.ts';
import type { Deadline } from './waiting.ts';

const pollMs = 1;
/** How long standbys that nobody waits for may go on receiving once the shutdown checkpoint is written. */
const walsenderGraceMs = 40;
/** The same for the one that is waited for. Nobody can write meanwhile, and whoever needs longer for its rest is lost or too slow. */
const awaitedGraceMs = 3_000;
/** After this, something is wrong: look for stopped processes and for walsenders that hold up the checkpoint itself. */
const suspicionMs = 150;
/** PostgreSQL itself gives an immediate stop 5 s; a primary that must be gone has less time. */
const immediateMs = 500;

const walsender = z.object({ pid: z.number(), name: z.string().nullable() });

/** Who receives WAL now; empty when the server does not answer at once. */
export async function observeWalsenders(
  session: Session,
  withinMs: number,
): Promise<readonly z.infer<typeof walsender>[]> {
  const text = 'select pid, application_name as name from pg_stat_replication';
  try {
    return await session.query({ text, row: walsender, prepareAs: 'understudy_walsenders' }, withinMs);
  } catch {
    return [];
  }
}

function pidsOf(senders: readonly z.infer<typeof walsender>[]): ReadonlySet<number> {
  return new Set(senders.map(({ pid }) => pid));
}

function isWalsender(pid: number): boolean {
  return /\bwalsender\b/.test(readCommandLine(pid)[0] ?? '');
}

interface Stopping {
  readonly layout: Layout;
  readonly memory: SharedMemory | null;
  /** Walsenders that may be ended; decided before the stop, because the server answers nobody afterwards. */
  readonly dispensable: ReadonlySet<number>;
  readonly awaited: ReadonlySet<number>;
}

function isGone({ layout, memory }: Stopping): boolean {
  return processesIn(layout.data).length === 0 && (memory === null || attachments(memory) === 0);
}

function endWalsenders({ dispensable }: Stopping): void {
  for (const pid of dispensable) {
    const process = identify(pid);
    if (process !== null && isWalsender(pid)) sendSignal(process, 'SIGTERM');
  }
}

/** Continues what is stopped, and ends the walsenders that nobody waits for any more. */
function clearTheWay({ awaited, dispensable, layout }: Stopping, isOverdue: boolean): void {
  for (const process of processesIn(layout.data)) {
    const mayEnd = dispensable.has(process.pid) || (isOverdue && awaited.has(process.pid));
    if (!mayEnd || !isWalsender(process.pid)) continue;
    sendSignal(process, 'SIGTERM');
    sendSignal(process, 'SIGCONT');
  }
  continueStopped(layout.data);
}

function isShutDown({ layout }: Stopping): boolean {
  const reading = readControl(layout.controlFile);
  return reading.found === 'control' && reading.control.state === 'shut-down';
}

/** Waits for the end of a fast stop; `false` when it did not come in time. */
async function awaitFastStop(
  stopping: Stopping,
  postmaster: ProcessIdentity,
  clock: Clock,
  untilMs: number,
  deadline: Deadline,
): Promise<boolean> {
  let lookAtMs = clock.boottimeMs() + suspicionMs;
  let checkpointedAtMs: number | null = null;
  for (;;) {
    const current = readProcess(postmaster.pid);
    const ended = current === null || current.state === 'Z' || current.startTicks !== postmaster.startTicks;
    if (ended && isGone(stopping)) return true;
    const now = clock.boottimeMs();
    if (now >= untilMs) return false;
    deadline.check('stopping PostgreSQL');
    if (checkpointedAtMs === null && stopping.dispensable.size + stopping.awaited.size > 0 && isShutDown(stopping)) {
      checkpointedAtMs = now;
      lookAtMs = Math.min(lookAtMs, now + walsenderGraceMs);
    }
    if (now >= lookAtMs) {
      endArchiveCommand(stopping.layout);
      clearTheWay(stopping, checkpointedAtMs !== null && now - checkpointedAtMs >= awaitedGraceMs);
      lookAtMs = now + suspicionMs;
    }
    await clock.sleep(pollMs);
  }
}

async function stopByForce(stopping: Stopping, server: Server, clock: Clock, deadline: Deadline): Promise<void> {
  let killAtMs = clock.boottimeMs();
  if (server.alive === 'postmaster') {
    sendSignal(server.postmaster, 'SIGQUIT');
    sendSignal(server.postmaster, 'SIGCONT');
    killAtMs += Math.min(immediateMs, deadline.leftMs() / 2);
  }
  while (!isGone(stopping)) {
    deadline.check('killing PostgreSQL');
    if (clock.boottimeMs() >= killAtMs) {
      for (const process of processesIn(stopping.layout.data)) sendSignal(process, 'SIGKILL');
    }
    await clock.sleep(pollMs);
  }
}

/** A stop was clean when the control file says so: only then was all WAL written and a checkpoint made at its end. */
function shutdownFacts(layout: Layout): ShutdownFacts | null {
  const reading = readControl(layout.controlFile);
  if (reading.found !== 'control') return null;
  const { control } = reading;
  if (control.state !== 'shut-down' && control.state !== 'shut-down-in-recovery') return null;
  return { checkpointLsn: control.checkpointLsn, timeline: controlTimeline(control) };
}

export async function stop(
  context: { readonly layout: Layout; readonly session: Session; readonly clock: Clock },
  how: { readonly patienceMs: number; readonly awaitStandby: NodeName | null },
  deadline: Deadline,
): Promise<{ readonly clean: ShutdownFacts | null }> {
  const { layout, session, clock } = context;
  const server = findServer(layout.data, layout.postmasterFile);
  const untilMs = clock.boottimeMs() + Math.min(how.patienceMs, deadline.leftMs());
  const senders = server.alive === 'postmaster' && !server.frozen ? await observeWalsenders(session, 30) : [];
  const stopping: Stopping = {
    layout,
    memory: server.file?.sharedMemory ?? null,
    dispensable: pidsOf(senders.filter(({ name }) => name !== how.awaitStandby)),
    awaited: pidsOf(senders.filter(({ name }) => name === how.awaitStandby)),
  };
  if (server.alive === 'postmaster') {
    // A stop waits until every walsender's standby has the last record: only one of them is worth the writers' time.
    if (how.awaitStandby !== null) endWalsenders(stopping);
    holdArchiver(layout);
    sendSignal(server.postmaster, 'SIGINT');
    endArchiveCommand(layout);
    if (server.frozen) sendSignal(server.postmaster, 'SIGCONT');
    if (!(await awaitFastStop(stopping, server.postmaster, clock, untilMs, deadline))) {
      await stopByForce(stopping, server, clock, deadline);
    }
  } else if (server.alive === 'remnants') {
    await stopByForce(stopping, server, clock, deadline);
  }
  releaseArchiver(layout);
  session.drop();
  return { clean: shutdownFacts(layout) };
}
