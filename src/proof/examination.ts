/**
 * One moment of the past, restored and looked through, step after step. The first step that finds something wrong is the last, but what
 * looks for damage looks for all of it.
 *
 * Invariant: a check that could not be made is a finding. What has nothing to do with the backups (a full disk, a bound that was exceeded,
 * a repository that is away, a cancellation) is thrown, and proves nothing (evidence.ts). Ends no server at the end: how that goes says
 * nothing either.
 */
import { availableParallelism } from 'node:os';
import { z } from 'zod';
import { formatMoment } from '../core/backups/moments.ts';
import {
  drawLater,
  judgeHeartbeat,
  type ProofCheck,
  type ProofResult,
  type ProofStep,
  type Span,
} from '../core/backups/proof.ts';
import { unreachable } from '../core/exhausted-union.ts';
import { parseLsn } from '../core/lsn.ts';
import { inOneLine } from '../core/one-line.ts';
import type { RepositoryBackup } from '../core/repository.ts';
import { describeError, isUnderstudyError, UnderstudyError } from '../errors/understudy-error.ts';
import { amcheck } from '../logical/amcheck.ts';
import { dumpToNowhere } from '../logical/dump.ts';
import type { Server } from '../logical/server.ts';
import type { Clock } from '../ports/clock.ts';
import type { ProofReports } from '../ports/prover.ts';
import type { Repository } from '../ports/repository.ts';
import type { Binaries } from '../postgres/binaries.ts';
import { heartbeatTable } from '../postgres/heartbeat.ts';
import { superuser } from '../postgres/layout.ts';
import { type Session, sqlState } from '../postgres/session.ts';
import { endingWithUs, idly } from '../process/idle.ts';
import { longestWorkMs, readWithinMs } from '../restoring/bounds.ts';
import { type RestoredInstance, startInstance } from '../restoring/instance.ts';
import { isFinding, isOfThisMachine } from './evidence.ts';
import { readServerLog, troubleIn } from './recovery-log.ts';

export interface ExaminationParts {
  readonly clock: Clock;
  readonly binaries: Binaries;
  readonly data: string;
  readonly sockets: string;
  readonly repository: Pick<Repository, 'restore' | 'restoreCommand'>;
  readonly backup: RepositoryBackup;
  /** The newest of the archive; `latest`: it has none but the first. */
  readonly timeline: number | 'latest';
  /** In which another moment may be drawn; empty: no other will do. */
  readonly spans: readonly Span[];
  readonly draw: () => number;
  readonly reports: ProofReports;
  readonly signal: AbortSignal;
}

type Examined = Omit<ProofResult, 'label' | 'tookMs'>;

/** On a disk that serves everybody else first. */
const askWithinMs = 600_000;
const stopWithinMs = 600_000;
/** Connections that look at once, at most; half of the processors are left alone. */
const mostJobs = 4;
const port = 15_432;
/** A moment at which nobody wrote proves nothing: a later one is drawn. */
const mostMoments = 3;
const mostFindings = 20;
/** The first with pg_amcheck. */
const amcheckFrom = 14;

const beat = {
  row: z.object({ at: z.string() }),
  text: `select to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as at from ${heartbeatTable}`,
};
const missing = ['42P01', '3F000'];
const promoted = { row: z.object({ done: z.boolean() }) };

/** A step found this; nothing after it is worth a look. */
class Found extends Error {
  readonly findings: readonly string[];

  constructor(findings: readonly string[]) {
    super(findings.join('; '));
    this.findings = findings;
  }
}

export class Examination {
  readonly #parts: ExaminationParts;
  readonly #checks: ProofCheck[] = [];
  #walBytes: number | null = null;
  #momentMs = 0;
  #session: Session | null = null;

  constructor(parts: ExaminationParts) {
    this.#parts = parts;
  }

  async run(momentMs: number): Promise<Examined> {
    this.#momentMs = momentMs;
    let step: ProofStep = 'restore';
    const take = async <T>(next: ProofStep, work: () => Promise<T>, seen: (result: T) => string): Promise<T> => {
      step = next;
      return await this.#step(next, work, seen);
    };
    try {
      await take(
        'restore',
        () => this.#restore(),
        () => this.#parts.backup.label,
      );
      const instance = await take(
        'recover',
        () => this.#recover(),
        () => `${this.#walBytes ?? 0} B of WAL`,
      );
      const there = await take(
        'heartbeat',
        () => this.#heartbeat(instance),
        ({ ageMs }) => `${ageMs} ms before it`,
      );
      await take(
        'amcheck',
        () => this.#amcheck(there.instance),
        (seen) => seen,
      );
      await take(
        'dump',
        () => this.#dump(),
        (count) => `${count} databases`,
      );
      return this.#result([], null);
    } catch (error) {
      this.#parts.signal.throwIfAborted();
      if (error instanceof Found) return this.#result(error.findings, step);
      const log = readServerLog(this.#parts.sockets);
      if (isFinding(error, log)) return this.#result([inOneLine(this.#words(step, error, log))], step);
      throw untried(step, error);
    } finally {
      this.#session?.drop();
    }
  }

  #words(step: ProofStep, error: Error, log: string): string {
    const { backup } = this.#parts;
    const moment = formatMoment(this.#momentMs);
    const message = describeError(error);
    switch (step) {
      case 'restore':
        return `backup ${backup.label} can't be restored: ${message} (understudy backup verify names what is damaged)`;
      case 'recover':
        return `WAL can't be replayed from backup ${backup.label} to ${moment}: ${troubleIn(log) ?? message}`;
      case 'heartbeat':
      case 'amcheck':
      case 'dump':
        return `what was restored from backup ${backup.label} can't be asked: ${message}`;
      default:
        return unreachable(step);
    }
  }

  #result(all: readonly string[], failedIn: ProofStep | null): Examined {
    const left = all.length - mostFindings;
    return {
      moment: formatMoment(this.#momentMs),
      walBytes: this.#walBytes,
      checks: this.#checks,
      findings: left > 0 ? [...all.slice(0, mostFindings), `${left} more`] : all,
      failedIn,
    };
  }

  async #step<T>(step: ProofStep, work: () => Promise<T>, seen: (result: T) => string): Promise<T> {
    const { clock, reports, signal } = this.#parts;
    signal.throwIfAborted();
    reports.onStep(step);
    const beganMs = clock.boottimeMs();
    const result = await work();
    this.#checks.push({ step, ms: Math.round(clock.boottimeMs() - beganMs), seen: seen(result) });
    return result;
  }

  async #restore(): Promise<void> {
    const { backup, data, reports, repository, signal, timeline } = this.#parts;
    // The target is given when it is started.
    const request = { set: backup.label, target: { type: 'default' }, action: 'pause', archives: false } as const;
    await repository.restore(
      { ...request, into: data, delta: false, timeline, processes: 1, isIdle: true },
      reports.onProgress,
      { withinMs: longestWorkMs, signal },
    );
  }

  async #recover(): Promise<RestoredInstance> {
    const { backup, binaries, clock, data, repository, signal, sockets, timeline } = this.#parts;
    const request = {
      ...({ data, directory: sockets, port, binaries, hold: 'pause', timeline } as const),
      target: { type: 'time', value: formatMoment(this.#momentMs) } as const,
      settings: { restore_command: repository.restoreCommand(data) },
      under: [...endingWithUs(), ...idly()],
    };
    const instance = await startInstance(request, clock, { withinMs: longestWorkMs, signal });
    this.#session = instance.session;
    const [from, to] = [parseLsn(backup.startLsn), parseLsn(instance.reached.lsn)];
    this.#walBytes = from === undefined || to === undefined ? null : Number(to - from);
    return instance;
  }

  /** Goes on to a later moment where nobody could write for a while. */
  async #heartbeat(first: RestoredInstance): Promise<{ readonly instance: RestoredInstance; readonly ageMs: number }> {
    const { draw, spans } = this.#parts;
    let instance = first;
    for (let moments = 1; ; moments += 1) {
      const verdict = judgeHeartbeat(await restoredBeat(instance), this.#momentMs);
      if (verdict.is === 'there') return { instance, ageMs: verdict.ageMs };
      const later = verdict.is === 'silent' ? drawLater(spans, this.#momentMs, draw()) : null;
      if (later === null || moments >= mostMoments) throw new Found([verdict.finding]);
      await instance.stop({ withinMs: stopWithinMs });
      this.#momentMs = later;
      instance = await this.#recover();
    }
  }

  get #server(): Server {
    const { binaries, sockets } = this.#parts;
    return { binaries: binaries.directory, host: sockets, port, user: superuser, runAs: null, under: idly() };
  }

  /** The extension has to be made, so it is promoted: it goes nowhere from here. */
  async #amcheck({ session }: RestoredInstance): Promise<string> {
    const { backup, binaries, signal } = this.#parts;
    await promote(session, readWithinMs(backup.databaseBytes));
    if (binaries.major < amcheckFrom) return `left out: PostgreSQL ${binaries.major} has no pg_amcheck`;
    const jobs = Math.max(1, Math.min(mostJobs, Math.floor(availableParallelism() / 2)));
    const options = { signal, withinMs: readWithinMs, jobs, everyRow: true, install: true };
    const { checked, corruptions, unchecked } = await amcheck(this.#server, options);
    requireSound(
      corruptions.map(({ database, relation, text }) => `${database}: ${relation}: ${text}`),
      unchecked.map(({ because, database, isLate }) => ({ isLate, text: `${database} not checked: ${because}` })),
    );
    return `${checked.length} databases`;
  }

  async #dump(): Promise<number> {
    const { clock, signal } = this.#parts;
    const nowMs = (): number => clock.boottimeMs();
    const dumps = await dumpToNowhere(this.#server, { nowMs, signal, withinMs: readWithinMs });
    const missed = dumps.flatMap(({ because, database, isLate }) =>
      because === null ? [] : [{ isLate, text: `${database} can't be read: ${because}` }],
    );
    requireSound([], missed);
    return dumps.length;
  }
}

interface Missed {
  readonly text: string;
  readonly isLate: boolean;
}

/** Throws what was found; where that is nothing, what this machine could not look at. */
function requireSound(found: readonly string[], missed: readonly Missed[]): void {
  const telling = missed.filter(({ isLate, text }) => !isLate && !isOfThisMachine(text));
  const all = [...found, ...telling.map(({ text }) => text)];
  if (all.length > 0) throw new Found(all.map(inOneLine));
  const [first] = missed;
  if (first !== undefined) throw new UnderstudyError(first.isLate ? 'TIMEOUT' : 'PROCESS_FAILED', first.text);
}

/** With the step that was not to be: it is no finding. */
function untried(step: ProofStep, error: unknown): unknown {
  if (!isUnderstudyError(error)) return error;
  const { code, hint } = error;
  return new UnderstudyError(code, `${step} could not be tried: ${describeError(error)}`, { hint, cause: error });
}

/** Its first checkpoint writes all that was replayed. */
async function promote(session: Session, withinMs: number): Promise<void> {
  const text = `select pg_promote(true, ${Math.ceil(withinMs / 1_000)}) as done`;
  const [answer] = await session.query({ ...promoted, text }, withinMs + askWithinMs);
  if (answer?.done !== true) throw new UnderstudyError('POSTGRES_TIMEOUT', `promoting: not within ${withinMs} ms`);
}

/** ISO 8601; `null`: there is none. */
async function restoredBeat({ session }: RestoredInstance): Promise<string | null> {
  try {
    return (await session.query(beat, askWithinMs))[0]?.at ?? null;
  } catch (error) {
    if (missing.includes(sqlState(error) ?? '')) return null;
    if (isUnderstudyError(error)) throw error;
    throw new UnderstudyError('POSTGRES_FAILED', String(error), { cause: error });
  }
}
