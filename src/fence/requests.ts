/**
 * Carries out what is asked of the fence, when warden.ts lets it.
 *
 * Invariant: between the look at the deadline and the act that makes a server writable nothing is awaited; where the act
 * itself may have taken long (a file, a new process), the deadline is looked at again, and a server that came too late is
 * killed before it can have become writable. What the asker has given up by then is not done.
 */
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { unreachable } from '../core/exhausted-union.ts';
import type { FenceStatus } from '../ports/fence.ts';
import { startDaemon } from '../process/daemon.ts';
import { identify } from '../process/identity.ts';
import { sendSignal } from '../process/signal.ts';
import { readUptimeMs } from '../timing/linux-clock.ts';
import type { Log } from './log.ts';
import type { OomScore } from './oom-score.ts';
import type { Prey } from './prey.ts';
import * as warden from './warden.ts';
import type { Watchdog } from './watchdog.ts';
import { type FenceAnswer, type FenceRequest, protocol } from './wire.ts';

/** What the fence knows and holds; only `warden` and `struck` change. */
export interface Guarded {
  readonly data: string;
  readonly prey: Prey;
  readonly watchdog: Watchdog;
  readonly oom: OomScore;
  readonly log: Log;
  warden: warden.Warden;
  struck: FenceStatus['struck'];
}

/** Killed processes take some ms to go; whoever asks waits at most 500. */
const settleWithinMs = 300;
const settlePollMs = 5;

type Asked<K extends FenceRequest['do']> = Extract<FenceRequest, { do: K }>;

/** `look` sees to a deadline that has passed; it was called just before. */
export async function perform(guarded: Guarded, request: FenceRequest, look: () => void): Promise<FenceAnswer> {
  switch (request.do) {
    case 'extend': {
      const answer = warden.extend(guarded.warden, request.term, request.deadlineMs, readUptimeMs());
      guarded.warden = answer.warden;
      if (answer.ok) guarded.prey.remember();
      return plain(answer);
    }
    case 'drop':
      return await drop(guarded, look);
    case 'start':
      return await start(guarded, request, look);
    case 'promote':
      return promote(guarded, request, look);
    case 'status':
      return { ok: true, status: { ...statusOf(guarded), protocol } };
    default:
      return unreachable(request);
  }
}

/** Waits a little for the end of what is being killed, or of what a dead server left. */
async function drop(guarded: Guarded, look: () => void): Promise<FenceAnswer> {
  const untilMs = readUptimeMs() + settleWithinMs;
  for (;;) {
    const left = guarded.prey.strikeRemnants();
    if ((!left && !warden.mustKill(guarded.warden)) || readUptimeMs() >= untilMs) break;
    await sleep(settlePollMs);
    look();
  }
  const answer = warden.drop(guarded.warden, guarded.prey.server());
  guarded.warden = answer.warden;
  if (answer.ok) guarded.prey.forget();
  return plain(answer);
}

async function start(guarded: Guarded, request: Asked<'start'>, look: () => void): Promise<FenceAnswer> {
  const { program, args, directory, environment, logFile } = request.start;
  const because = whyNotStart(guarded, request);
  if (because !== null) return { ok: false, because };
  if (request.as === 'standby') guarded.prey.forget();
  else guarded.prey.remember();
  const env = { ...guarded.oom.environment, ...environment };
  const { pid, startTicks } = await startDaemon(program, args, { cwd: directory, env, logFile });
  guarded.oom.giveBack(pid);
  guarded.log.say(`started a ${request.as}, process ${pid}`);
  look();
  if (warden.mustKill(guarded.warden)) return { ok: false, because: 'the deadline passed while it was being started' };
  return { ok: true, process: { pid, startTicks } };
}

function whyNotStart(guarded: Guarded, { as, untilMs, start: asked }: Asked<'start'>): string | null {
  if (asked.directory !== guarded.data) return `this fence watches ${guarded.data}`;
  const server = guarded.prey.server();
  if (as === 'primary') {
    if (server !== 'none') return 'a server runs already, or what it left';
    const nowMs = readUptimeMs();
    if (nowMs >= untilMs) return 'whoever asked has given up';
    const answer = warden.mayWrite(guarded.warden, nowMs);
    return answer.ok ? null : answer.because;
  }
  if (!existsSync(join(guarded.data, 'standby.signal'))) return 'it would be no standby: there is no standby.signal';
  if (readUptimeMs() >= untilMs) return 'whoever asked has given up';
  const answer = warden.mayStandBy(guarded.warden, server);
  guarded.warden = answer.warden;
  return answer.ok ? null : answer.because;
}

/**
 * As pg_promote() does it: the signal file, then SIGUSR1 to the postmaster (documentation 9.27.4). The file alone is
 * enough once any child signals the postmaster, so the deadline is looked at before it is made.
 */
function promote(guarded: Guarded, { untilMs, postmaster }: Asked<'promote'>, look: () => void): FenceAnswer {
  const running = guarded.prey.livingPostmaster();
  if (running?.pid !== postmaster.pid || running.startTicks !== postmaster.startTicks) {
    return { ok: false, because: 'this is not the server that runs here' };
  }
  const file = join(guarded.data, 'promote');
  const before = mayPromote(guarded, untilMs);
  if (before !== null) return { ok: false, because: before };
  writeFileSync(file, '', { mode: 0o600 });
  look();
  const because = mayPromote(guarded, untilMs) ?? (sendSignal(running, 'SIGUSR1') === 'sent' ? null : 'it is gone');
  if (because === null) return { ok: true };
  rmSync(file, { force: true });
  return { ok: false, because };
}

function mayPromote(guarded: Guarded, untilMs: number): string | null {
  const nowMs = readUptimeMs();
  if (nowMs >= untilMs) return 'whoever asked has given up';
  const answer = warden.mayWrite(guarded.warden, nowMs);
  return answer.ok ? null : answer.because;
}

function statusOf({ warden: current, struck, prey, watchdog, oom }: Guarded): FenceStatus {
  const { deadline, highestTerm, striking } = current;
  const own = identify(process.pid) ?? { pid: process.pid, startTicks: -1 };
  const server = prey.server();
  return {
    process: own,
    highestTerm,
    deadline,
    striking,
    struck,
    server,
    watchdog: watchdog.state,
    oomScore: oom.own(),
  };
}

function plain(answer: warden.Answer): FenceAnswer {
  return answer.ok ? { ok: true } : { ok: false, because: answer.because };
}
