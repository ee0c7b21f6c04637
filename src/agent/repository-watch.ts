/**
 * What the primary's agent does about the repository: makes it ready to take this cluster's WAL, looks what it holds, tells people when
 * it can't be reached, and ends the work of nodes that fell silent.
 *
 * Invariant: only the holder of the lease whose server is writable does any of it, and it stops with that right. Nothing waits for it.
 */
import { endedOrNone, failuresOf, isEnded, type RepositoryRecord } from '../core/backup-run.ts';
import { archivedWal } from '../core/backups/archived-wal.ts';
import type { NextAfter } from '../core/backups/calendar.ts';
import { due } from '../core/backups/due.ts';
import { type Heartbeat, newestArchived, withHeartbeat } from '../core/backups/heartbeats.ts';
import { timelinePath } from '../core/backups/timeline-path.ts';
import { inOneLine } from '../core/one-line.ts';
import type { ArchivedRange, RepositoryContents } from '../core/repository.ts';
import type { NodeName } from '../core/spec.ts';
import { describeError, isUnderstudyError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';
import type { Postgres } from '../ports/postgres.ts';
import type { Repository } from '../ports/repository.ts';
import { encodeRecord } from '../records/codecs.ts';
import { keys } from '../records/keys.ts';
import { ArchiverWatch, type ArchivingServer } from './archiver-watch.ts';
import { orderBackup } from './backup-order.ts';
import type { ExecutionContext } from './execution-context.ts';
import type { ProofOrderParts } from './proof-order.ts';
import { scheduleProof } from './proof-schedule.ts';
import { SilentRuns } from './silent-runs.ts';
import type { StoreMirror } from './store-mirror.ts';
import { takeTurns } from './turns.ts';

export interface WatchedServer extends ArchivingServer {
  readonly timeline: number;
}

export interface RepositoryWatchParts {
  readonly self: NodeName;
  readonly mirror: Pick<StoreMirror, 'image' | 'transact'>;
  readonly postgres: Pick<Postgres, 'heartbeat'>;
  /** The writable server of the lease's holder, on this node; `null`: it is not here. */
  readonly primary: () => WatchedServer | null;
  readonly repository: () => Repository | null;
  /** Why this node has none, in one line; `null`: none is declared, or it has. */
  readonly lacking: () => string | null;
  /** While a switchover moves, the store has better things to do. */
  readonly isBusy: () => boolean;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly emit: ExecutionContext['emit'];
  readonly nextAfter: NextAfter;
  readonly candidates: ProofOrderParts['candidates'];
}

const turnEveryMs = 1_000;
const heartbeatEveryMs = 5_000;
const lookEveryMs = 60_000;
const stanzaAgainMs = { first: 5_000, most: 60_000 } as const;
const lackingAfterMs = 15_000;
const heartbeatWithinMs = 2_000;
const programWithinMs = 120_000;
const writeWithinMs = 2_000;

export class RepositoryWatch {
  readonly #parts: RepositoryWatchParts;
  /** The server and the repository that were made ready for each other. */
  #ready: { readonly pid: number; readonly stanza: string; readonly place: string } | null = null;
  #readyAgainAtMs = 0;
  #readyFailures = 0;
  #beats: readonly Heartbeat[] = [];
  #beatAtMs = Number.NEGATIVE_INFINITY;
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  /** The run after whose end it was looked. */
  #lookedAfter: string | null = null;
  readonly #silentRuns: SilentRuns;
  #told: string | null = null;
  #lackingSinceMs: number | null = null;
  readonly #archiver: ArchiverWatch;
  #pid: number | null = null;

  constructor(parts: RepositoryWatchParts) {
    this.#parts = parts;
    this.#archiver = new ArchiverWatch(parts);
    this.#silentRuns = new SilentRuns(parts);
  }

  /** Why the repository can't take anything, in one line; `null`: it does, or this node does not know. */
  get trouble(): string | null {
    return this.#told;
  }

  async runForEver(): Promise<void> {
    await takeTurns(this.#parts, turnEveryMs, async () => {
      try {
        await this.turn();
      } catch (error) {
        // Server or store are away: others tell of that.
        if (!isUnderstudyError(error)) throw error;
      }
    });
  }

  async turn(): Promise<void> {
    const { primary, repository } = this.#parts;
    const server = primary();
    const reached = repository();
    if (server === null || this.#parts.isBusy()) return;
    await this.#watchArchiver(server);
    if (reached === null) return await this.#lacks();
    this.#lackingSinceMs = null;
    if (this.#pid !== server.pid) {
      this.#pid = server.pid;
      // Of another stint as primary, perhaps on another timeline.
      this.#beats = [];
    }
    await this.#beat();
    await this.#silentRuns.end();
    if (!(await this.#makeReady(reached, server.pid))) return;
    await this.#look(reached, server);
    await this.#schedule();
  }

  async #beat(): Promise<void> {
    const { clock, postgres, signal } = this.#parts;
    const nowMs = clock.boottimeMs();
    if (nowMs - this.#beatAtMs < heartbeatEveryMs) return;
    this.#beatAtMs = nowMs;
    this.#beats = withHeartbeat(this.#beats, await postgres.heartbeat({ signal, withinMs: heartbeatWithinMs }));
  }

  async #makeReady(repository: Repository, pid: number): Promise<boolean> {
    const { clock, emit, mirror, self, signal } = this.#parts;
    const place = JSON.stringify(mirror.image.spec?.value.spec.backups?.to ?? null);
    const { stanza } = repository;
    const isReady = this.#ready?.pid === pid && this.#ready.stanza === stanza && this.#ready.place === place;
    if (isReady) return true;
    // Who works on the repository has made it ready for itself, and nobody waits here for its end.
    if (clock.boottimeMs() < this.#readyAgainAtMs || !endedOrNone(mirror.image.backupRun)) return false;
    try {
      await repository.createStanza({ signal, withinMs: programWithinMs });
      this.#ready = { pid, stanza, place };
      this.#readyFailures = 0;
      if (this.#told !== null) emit('repository.reached', { node: self });
      this.#told = null;
      return true;
    } catch (error) {
      if (!isUnderstudyError(error)) throw error;
      this.#readyFailures += 1;
      const waitMs = Math.min(stanzaAgainMs.most, stanzaAgainMs.first * 2 ** (this.#readyFailures - 1));
      this.#readyAgainAtMs = clock.boottimeMs() + waitMs;
      await this.#cannot(inOneLine(describeError(error)));
      return false;
    }
  }

  async #look(repository: Repository, server: WatchedServer): Promise<void> {
    const { clock, emit, mirror, self, signal } = this.#parts;
    const run = mirror.image.backupRun?.value ?? null;
    const ended = run !== null && isEnded(run) ? run.id : null;
    const nowMs = clock.boottimeMs();
    const isDue = nowMs - this.#lookedAtMs >= lookEveryMs || (ended !== null && ended !== this.#lookedAfter);
    const { newest, path } = this.#archived(server);
    const safeUntil = newest === null ? null : new Date(newest.atMs).toISOString();
    const last = mirror.image.repository?.value ?? null;
    if (!isDue) {
      // A newer commit is in the repository: that alone needs no look at it.
      if (safeUntil !== null && last !== null && last.node === self && safeUntil !== last.safeUntil) {
        await this.#write({ ...last, safeUntil });
      }
      return;
    }
    this.#lookedAtMs = nowMs;
    this.#lookedAfter = ended;
    const contents = await repository.contents({ signal, withinMs: programWithinMs });
    const isKnown = contents.state === 'ok' || contents.state === 'empty';
    if (isKnown) {
      if (this.#told !== null) emit('repository.reached', { node: self });
      this.#told = null;
    } else {
      this.#tell(contents.trouble ?? contents.state);
    }
    const before = last?.archive ?? null;
    const { segmentBytes } = server.archiver;
    const ranges = isKnown && segmentBytes !== null ? await this.#ranges(repository, segmentBytes) : null;
    await this.#write({
      node: self,
      lookedAt: clock.wallClock().toISOString(),
      contents: keptKnown(contents, last),
      safeUntil: safeUntil ?? last?.safeUntil ?? null,
      archive:
        ranges === null || segmentBytes === null
          ? before
          : archivedWal({ segmentBytes, ranges, contents, path, newest, before }),
      stalled: last?.stalled ?? null,
    });
  }

  /** The newest commit that is in the repository, by what the archiver says, and the way to there. */
  #archived({ archiver: { archivedTo }, timeline }: WatchedServer) {
    const { timelines } = this.#parts.mirror.image;
    const path = timelinePath(
      [...timelines.values()].map(({ value }) => value),
      timeline,
    );
    const archived = archivedTo === null ? null : { timeline, lsn: archivedTo };
    return { path, newest: newestArchived({ heartbeats: this.#beats, archived, path }) };
  }

  /** `null`: it could not be listed, although it was there a moment ago. */
  async #ranges(repository: Repository, segmentBytes: number): Promise<readonly ArchivedRange[] | null> {
    try {
      return await repository.archivedRanges(segmentBytes, { signal: this.#parts.signal, withinMs: programWithinMs });
    } catch (error) {
      if (!isUnderstudyError(error)) throw error;
      return null;
    }
  }

  async #watchArchiver(server: WatchedServer): Promise<void> {
    const { spec, repository } = this.#parts.mirror.image;
    const last = repository?.value ?? null;
    if (last === null || (spec?.value.spec.backups ?? null) === null) return;
    const stalled = this.#archiver.look(server, last.stalled);
    if (stalled !== last.stalled) await this.#write({ ...last, stalled });
  }

  /** The secret may be on its way for a moment. */
  async #lacks(): Promise<void> {
    const { clock, lacking } = this.#parts;
    const because = lacking();
    this.#ready = null;
    this.#lookedAtMs = Number.NEGATIVE_INFINITY;
    if (because === null) return;
    const nowMs = clock.boottimeMs();
    this.#lackingSinceMs ??= nowMs;
    if (nowMs - this.#lackingSinceMs >= lackingAfterMs) await this.#cannot(because);
  }

  /** Tells it, and has it stand in the store. */
  async #cannot(because: string): Promise<void> {
    const { clock, mirror, self } = this.#parts;
    this.#tell(because);
    const last = mirror.image.repository?.value ?? null;
    const isWritten = last?.node === self && last.contents.state === 'unreachable' && last.contents.trouble === because;
    if (isWritten) return;
    await this.#write({
      ...(last ?? { safeUntil: null, archive: null, stalled: null }),
      node: self,
      lookedAt: clock.wallClock().toISOString(),
      contents: keptKnown({ state: 'unreachable', trouble: because, backups: [], archived: null }, last),
    });
  }

  /** One at a time, and only after a look: what is in the repository says what is owed. */
  async #schedule(): Promise<void> {
    const { clock, mirror, nextAfter, self } = this.#parts;
    const { backupRun, endedRuns, repository, spec } = mirror.image;
    const backups = spec?.value.spec.backups ?? null;
    const isKnown = repository?.value.node === self && this.#lookedAtMs > Number.NEGATIVE_INFINITY;
    if (backups === null || !isKnown || !endedOrNone(backupRun)) return;
    const failed = Object.fromEntries(
      (['full', 'differential'] as const).flatMap((kind) => {
        const run = endedRuns.get(kind)?.value;
        const times = failuresOf(run);
        return run === undefined || times === 0
          ? []
          : [[kind, { times, lastAtMs: Date.parse(run.endedAt ?? run.orderedAt) }]];
      }),
    );
    const { contents } = repository.value;
    const owed = due(backups, {
      ...{ contents, attempts: { underWay: null, failed }, nowMs: clock.wallClock().getTime(), nextAfter },
    });
    if (owed.do === 'backup') await orderBackup(this.#parts, owed.kind, self, 'schedule');
    else await scheduleProof(this.#parts, backups, contents);
  }

  #tell(trouble: string): void {
    if (trouble === this.#told) return;
    this.#told = trouble;
    this.#parts.emit('repository.unreachable', { node: this.#parts.self, because: trouble });
  }

  async #write(record: RepositoryRecord): Promise<void> {
    const { mirror, signal } = this.#parts;
    const stored = mirror.image.repository;
    await mirror.transact(
      [{ key: keys.repository, revision: stored?.revision ?? 'absent' }],
      [{ key: keys.repository, value: encodeRecord('repository', record) }],
      { withinMs: writeWithinMs, signal },
    );
  }
}

/** While it can't be reached, what it held last is worth more than nothing. */
function keptKnown(contents: RepositoryContents, last: RepositoryRecord | null): RepositoryContents {
  if (contents.state !== 'unreachable' || last === null) return contents;
  return { ...last.contents, state: contents.state, trouble: contents.trouble };
}
