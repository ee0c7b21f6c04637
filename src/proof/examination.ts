/**
 * One moment of the past, restored and looked through, step after step. The first step that finds something wrong is the last, but what
 * looks for damage looks for all of it.
 *
 * Invariant: a check that could not be made is a finding. What has nothing to do with the backups (a full disk, a repository that is
 * away, a cancellation) is thrown, and proves nothing.
 */
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
import type { ErrorCode } from '../errors/catalogue.ts';
import { isUnderstudyError, UnderstudyError } from '../errors/understudy-error.ts';
import { amcheck } from '../logical/amcheck.ts';
import { dumpToNowhere } from '../logical/dump.ts';
import type { Server } from '../logical/server.ts';
import type { Clock } from '../ports/clock.ts';
import type { ProofReports } from '../ports/prover.ts';
import type { Repository } from '../ports/repository.ts';
import type { Binaries } from '../postgres/binaries.ts';
import { heartbeatTable } from '../postgres/heartbeat.ts';
import { superuser } from '../postgres/layout.ts';
import { sqlState } from '../postgres/session.ts';
import { endingWithUs, idly } from '../process/idle.ts';
import { type RestoredInstance, startInstance } from '../restoring/instance.ts';
import { recoveryTrouble } from './recovery-log.ts';

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

/** What says something of the backups, and not of this machine or the way to the repository. */
const findings: readonly ErrorCode[] = ['RESTORE_FAILED', 'POSTGRES_FAILED', 'POSTGRES_TIMEOUT'];

const workWithinMs = 7 * 24 * 3_600_000;
const databaseWithinMs = 24 * 3_600_000;
const promoteWithinMs = 3_600_000;
const askWithinMs = 60_000;
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
      await there.instance.stop({ withinMs: askWithinMs });
      return this.#result([], null);
    } catch (error) {
      this.#parts.signal.throwIfAborted();
      if (error instanceof Found) return this.#result(error.findings, step);
      if (isUnderstudyError(error) && findings.includes(error.code)) {
        return this.#result([inOneLine(this.#words(step, error))], step);
      }
      throw error;
    }
  }

  #words(step: ProofStep, { message }: Error): string {
    const { backup, sockets } = this.#parts;
    const moment = formatMoment(this.#momentMs);
    switch (step) {
      case 'restore':
        return `backup ${backup.label} can't be restored: ${message} (understudy backup verify names what is damaged)`;
      case 'recover':
        return `WAL can't be replayed from backup ${backup.label} to ${moment}: ${recoveryTrouble(sockets) ?? message}`;
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
      { withinMs: workWithinMs, signal },
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
    const instance = await startInstance(request, clock, { withinMs: workWithinMs, signal });
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
      await instance.stop({ withinMs: askWithinMs });
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
    const { binaries, signal } = this.#parts;
    await session.execute('select pg_promote(true, 3600)', promoteWithinMs);
    if (binaries.major < amcheckFrom) return `left out: PostgreSQL ${binaries.major} has no pg_amcheck`;
    const options = { signal, withinMs: databaseWithinMs, everyRow: true, install: true };
    const { checked, corruptions, unchecked } = await amcheck(this.#server, options);
    const found = [
      ...corruptions.map(({ database, relation, text }) => `${database}: ${relation}: ${text}`),
      ...unchecked.map(({ because, database }) => `${database} could not be checked: ${because}`),
    ];
    if (found.length > 0) throw new Found(found.map(inOneLine));
    return `${checked.length} databases`;
  }

  async #dump(): Promise<number> {
    const { clock, signal } = this.#parts;
    const nowMs = (): number => clock.boottimeMs();
    const dumps = await dumpToNowhere(this.#server, { nowMs, signal, withinMs: databaseWithinMs });
    const found = dumps.flatMap(({ because, database }) =>
      because === null ? [] : [`${database} can't be read: ${because}`],
    );
    if (found.length > 0) throw new Found(found.map(inOneLine));
    return dumps.length;
  }
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
