/**
 * What the primary's agent does about the repository: makes it ready to take this cluster's WAL, looks what it holds, tells people when
 * it can't be reached, and orders what is owed.
 *
 * Invariant: only the holder of the lease whose server is writable does any of it, and it stops with that right. Nothing waits for it,
 * heartbeats neither (archive-heartbeat.ts). Nothing is ordered before what the last run left was seen and stands in the store.
 */
import { endedOrNone, failuresOf, isEnded, type RepositoryRecord } from '../core/backup-run.ts';
import { archivedWal } from '../core/backups/archived-wal.ts';
import type { NextAfter } from '../core/backups/calendar.ts';
import { due } from '../core/backups/due.ts';
import { asHeld, hadAny } from '../core/backups/emptied.ts';
import { repositoryUrl } from '../core/backups-spec.ts';
import { inOneLine } from '../core/one-line.ts';
import type { ArchivedRange, RepositoryContents } from '../core/repository.ts';
import type { NodeName } from '../core/spec.ts';
import { describeError, isUnderstudyError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';
import type { Repository } from '../ports/repository.ts';
import type { ArchiveHeartbeat, WatchedServer } from './archive-heartbeat.ts';
import { type BackupNodeOrderParts, orderBackupOfFit } from './backup-node-order.ts';
import { declaredBackups } from './backup-standing.ts';
import type { ExecutionContext } from './execution-context.ts';
import { scheduleProof } from './proof-schedule.ts';
import type { RepositoryStanding } from './repository-standing.ts';
import type { StoreMirror } from './store-mirror.ts';
import { toldOnce } from './told-once.ts';
import { takeTurnsTelling } from './turns.ts';

export interface RepositoryWatchParts {
  readonly self: NodeName;
  readonly mirror: Pick<StoreMirror, 'image' | 'transact'>;
  readonly standing: RepositoryStanding;
  readonly heartbeat: Pick<ArchiveHeartbeat, 'archived'>;
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
  /** For the log. */
  readonly warn: (text: string) => void;
  readonly nextAfter: NextAfter;
  readonly candidates: BackupNodeOrderParts['candidates'];
}

const turnEveryMs = 1_000;
const lookEveryMs = 60_000;
/** After a run, until a look stands in the store. */
const lookAgainMs = 5_000;
const stanzaAgainMs = { first: 5_000, most: 60_000 } as const;
const lackingAfterMs = 15_000;
const programWithinMs = 120_000;

export class RepositoryWatch {
  readonly #parts: RepositoryWatchParts;
  /** The server and the repository that were made ready for each other. */
  #ready: { readonly pid: number; readonly stanza: string; readonly place: string } | null = null;
  #readyAgainAtMs = 0;
  #readyFailures = 0;
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  /** The ended run after which it was tried to look, and the one after which what was seen stands in the store. */
  #triedAfter: string | null = null;
  #lookedAfter: string | null = null;
  #told: string | null = null;
  #lackingSinceMs: number | null = null;
  readonly #tellListing: (text: string | null) => void;

  constructor(parts: RepositoryWatchParts) {
    this.#parts = parts;
    this.#tellListing = toldOnce(parts.warn);
  }

  /** Why the repository can't take anything, in one line; `null`: it does, or this node does not know. */
  get trouble(): string | null {
    return this.#told;
  }

  async runForEver(): Promise<void> {
    await takeTurnsTelling(this.#parts, turnEveryMs, () => this.turn());
  }

  async turn(): Promise<void> {
    const { mirror, primary, repository } = this.#parts;
    // A view of everything, each second, for nothing.
    if (declaredBackups(mirror) === null) return this.#forget();
    const server = primary();
    const reached = repository();
    if (server === null || this.#parts.isBusy()) return;
    if (reached === null) return await this.#lacks();
    this.#lackingSinceMs = null;
    if (!(await this.#makeReady(reached, server.pid))) return;
    await this.#look(reached, server);
    await this.#schedule(server);
  }

  async #makeReady(repository: Repository, pid: number): Promise<boolean> {
    const { clock, emit, mirror, self, signal } = this.#parts;
    const place = JSON.stringify(declaredBackups(mirror)?.to ?? null);
    const { stanza } = repository;
    const isReady = this.#ready?.pid === pid && this.#ready.stanza === stanza && this.#ready.place === place;
    if (isReady) return true;
    // Who works on the repository has made it ready for itself, and nobody waits here for its end.
    if (clock.boottimeMs() < this.#readyAgainAtMs || !endedOrNone(mirror.image.backupRun)) return false;
    try {
      await repository.createStanza({ signal, withinMs: programWithinMs, hadAny: this.#had() });
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
    const { clock, emit, heartbeat, primary, self, signal, standing } = this.#parts;
    const ended = this.#endedRun();
    const nowMs = clock.boottimeMs();
    const isTold = ended === null || ended === this.#lookedAfter;
    const isDue = nowMs - this.#lookedAtMs >= (isTold ? lookEveryMs : lookAgainMs);
    if (!isDue && (isTold || ended === this.#triedAfter)) return;
    this.#lookedAtMs = nowMs;
    this.#triedAfter = ended;
    const contents = asHeld(await repository.contents({ signal, withinMs: programWithinMs }), this.#had());
    const isKnown = contents.state === 'ok' || contents.state === 'empty';
    if (isKnown) {
      if (this.#told !== null) emit('repository.reached', { node: self });
      this.#told = null;
    } else {
      this.#tell(contents.trouble ?? contents.state);
    }
    const { segmentBytes } = server.archiver;
    const ranges = isKnown && segmentBytes !== null ? await this.#ranges(repository, segmentBytes) : null;
    // It took its time, and this may be somebody else's now.
    const present = primary();
    if (present?.pid !== server.pid) return;
    const { newest, path } = heartbeat.archived(present);
    const lookedAt = clock.wallClock().toISOString();
    const stands = await standing.change((last) => ({
      ...{ node: self, lookedAt },
      contents: keptKnown(contents, last),
      place: isKnown ? this.#place() : last?.place,
      safeUntil: newest === null ? (last?.safeUntil ?? null) : new Date(newest.atMs).toISOString(),
      archive:
        ranges === null || segmentBytes === null
          ? (last?.archive ?? null)
          : {
              ...archivedWal({ segmentBytes, ranges, contents, path, newest, before: last?.archive ?? null }),
              listedAt: lookedAt,
            },
      stalled: last?.stalled ?? null,
    }));
    if (stands) this.#lookedAfter = ended;
  }

  #place(): string | undefined {
    const backups = declaredBackups(this.#parts.mirror);
    return backups === null ? undefined : repositoryUrl(backups.to);
  }

  #had(): boolean {
    const { mirror, standing } = this.#parts;
    return hadAny(standing.last, declaredBackups(mirror));
  }

  /** The last run, if it has ended. */
  #endedRun(): string | null {
    const run = this.#parts.mirror.image.backupRun?.value ?? null;
    return run !== null && isEnded(run) ? run.id : null;
  }

  /** `null`: it could not be listed, although it was there a moment ago. */
  async #ranges(repository: Repository, segmentBytes: number): Promise<readonly ArchivedRange[] | null> {
    try {
      const { signal } = this.#parts;
      const ranges = await repository.archivedRanges(segmentBytes, { signal, withinMs: programWithinMs });
      this.#tellListing(null);
      return ranges;
    } catch (error) {
      if (!isUnderstudyError(error)) throw error;
      this.#tellListing(`the WAL in the repository could not be listed: ${describeError(error)}`);
      return null;
    }
  }

  /** What is reached next is made ready and looked at anew. */
  #forget(): void {
    this.#ready = null;
    this.#lookedAtMs = Number.NEGATIVE_INFINITY;
    this.#lackingSinceMs = null;
  }

  /** The secret may be on its way for a moment. */
  async #lacks(): Promise<void> {
    const { clock, lacking } = this.#parts;
    const because = lacking();
    const sinceMs = this.#lackingSinceMs;
    this.#forget();
    if (because === null) return;
    const nowMs = clock.boottimeMs();
    this.#lackingSinceMs = sinceMs ?? nowMs;
    if (nowMs - this.#lackingSinceMs >= lackingAfterMs) await this.#cannot(because);
  }

  /** Tells it, and has it stand in the store. */
  async #cannot(because: string): Promise<void> {
    const { clock, self, standing } = this.#parts;
    this.#tell(because);
    await standing.change((last) => {
      const { state, trouble } = last?.contents ?? { state: null, trouble: null };
      if (last?.node === self && state === 'unreachable' && trouble === because) return null;
      return {
        ...(last ?? { safeUntil: null, archive: null, stalled: null }),
        node: self,
        lookedAt: clock.wallClock().toISOString(),
        contents: keptKnown({ state: 'unreachable', trouble: because, backups: [], archived: null }, last),
      };
    });
  }

  /** One at a time, and only after a look: what is in the repository says what is owed. */
  async #schedule({ archiver: { isOn: isArchiving } }: WatchedServer): Promise<void> {
    const { clock, mirror, nextAfter, self } = this.#parts;
    const { backupRun, endedRuns, repository } = mirror.image;
    const backups = declaredBackups(mirror);
    const isKnown = repository?.value.node === self && this.#lookedAtMs > Number.NEGATIVE_INFINITY;
    if (backups === null || !isKnown || !endedOrNone(backupRun)) return;
    if (this.#endedRun() !== this.#lookedAfter) return;
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
      ...{ contents, attempts: { underWay: null, failed }, isArchiving },
      ...{ nowMs: clock.wallClock().getTime(), nextAfter },
    });
    if (owed.do === 'backup') await orderBackupOfFit(this.#parts, owed.kind, self, null, 'schedule');
    else await scheduleProof(this.#parts, backups, contents);
  }

  #tell(trouble: string): void {
    if (trouble === this.#told) return;
    this.#told = trouble;
    this.#parts.emit('repository.unreachable', { node: this.#parts.self, because: trouble });
  }
}

/** While it can't be reached, what it held last is worth more than nothing. */
function keptKnown(contents: RepositoryContents, last: RepositoryRecord | null): RepositoryContents {
  if (contents.state !== 'unreachable' || last === null) return contents;
  return { ...last.contents, state: contents.state, trouble: contents.trouble };
}
