/**
 * What the primary's agent does for the archive every few seconds: it writes heartbeats, says when the newest archived commit was made,
 * notices an archiver that stands still, and ends the work of nodes that fell silent.
 *
 * Invariant: it asks nothing of the repository, so a slow one delays none of it: what can be recovered to is known by heartbeats alone.
 * Only the holder of the lease whose server is writable does it.
 */
import { type Heartbeat, newestArchived, withHeartbeat } from '../core/backups/heartbeats.ts';
import { type PathPart, timelinePath } from '../core/backups/timeline-path.ts';
import type { NodeName } from '../core/spec.ts';
import type { Clock } from '../ports/clock.ts';
import type { Postgres } from '../ports/postgres.ts';
import { ArchiverWatch, type ArchivingServer } from './archiver-watch.ts';
import { declaredBackups } from './backup-standing.ts';
import type { ExecutionContext } from './execution-context.ts';
import type { RepositoryStanding } from './repository-standing.ts';
import { SilentRuns } from './silent-runs.ts';
import type { StoreMirror } from './store-mirror.ts';
import { takeTurnsTelling } from './turns.ts';

export interface WatchedServer extends ArchivingServer {
  readonly timeline: number;
}

export interface ArchiveHeartbeatParts {
  readonly self: NodeName;
  readonly mirror: Pick<StoreMirror, 'image' | 'transact'>;
  readonly standing: RepositoryStanding;
  readonly postgres: Pick<Postgres, 'heartbeat'>;
  /** The writable server of the lease's holder, on this node; `null`: it is not here. */
  readonly primary: () => WatchedServer | null;
  /** Can this node's server archive anything? */
  readonly hasRepository: () => boolean;
  /** While a switchover moves, the store has better things to do. */
  readonly isBusy: () => boolean;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly emit: ExecutionContext['emit'];
  /** For the log. */
  readonly warn: (text: string) => void;
}

const turnEveryMs = 1_000;
const heartbeatEveryMs = 5_000;
const heartbeatWithinMs = 2_000;

export class ArchiveHeartbeat {
  readonly #parts: ArchiveHeartbeatParts;
  readonly #archiver: ArchiverWatch;
  readonly #silentRuns: SilentRuns;
  #pid: number | null = null;
  #beats: readonly Heartbeat[] = [];
  #beatAtMs = Number.NEGATIVE_INFINITY;

  constructor(parts: ArchiveHeartbeatParts) {
    this.#parts = parts;
    this.#archiver = new ArchiverWatch(parts);
    this.#silentRuns = new SilentRuns(parts);
  }

  async runForEver(): Promise<void> {
    await takeTurnsTelling(this.#parts, turnEveryMs, () => this.#turn());
  }

  /** The newest commit that is in the repository, by what the archiver says, and the way to there. */
  archived({ archiver: { archivedTo }, timeline }: WatchedServer): {
    readonly path: readonly PathPart[];
    readonly newest: Heartbeat | null;
  } {
    const { timelines } = this.#parts.mirror.image;
    const path = timelinePath(
      [...timelines.values()].map(({ value }) => value),
      timeline,
    );
    const archived = archivedTo === null ? null : { timeline, lsn: archivedTo };
    return { path, newest: newestArchived({ heartbeats: this.#beats, archived, path }) };
  }

  async #turn(): Promise<void> {
    const { hasRepository, isBusy, mirror, primary } = this.#parts;
    // A view of everything, each second, for nothing.
    if (declaredBackups(mirror) === null) return;
    const server = primary();
    if (server === null || isBusy()) return;
    await this.#watchArchiver(server);
    if (!hasRepository()) return;
    if (this.#pid !== server.pid) {
      this.#pid = server.pid;
      // Of another stint as primary, perhaps on another timeline.
      this.#beats = [];
    }
    await this.#beat();
    await this.#silentRuns.end();
    await this.#tellSafe(server);
  }

  async #beat(): Promise<void> {
    const { clock, postgres, signal } = this.#parts;
    const nowMs = clock.boottimeMs();
    if (nowMs - this.#beatAtMs < heartbeatEveryMs) return;
    this.#beatAtMs = nowMs;
    this.#beats = withHeartbeat(this.#beats, await postgres.heartbeat({ signal, withinMs: heartbeatWithinMs }));
  }

  /** A newer commit is in the repository: that alone needs no look at it. */
  async #tellSafe(server: WatchedServer): Promise<void> {
    const { self, standing } = this.#parts;
    const { newest } = this.archived(server);
    if (newest === null) return;
    const safeUntil = new Date(newest.atMs).toISOString();
    await standing.change((last) =>
      last === null || last.node !== self || last.safeUntil === safeUntil ? null : { ...last, safeUntil },
    );
  }

  async #watchArchiver(server: WatchedServer): Promise<void> {
    const { standing } = this.#parts;
    const told = standing.last;
    if (told === null) return;
    const stalled = this.#archiver.look(server, told.stalled);
    if (stalled === told.stalled) return;
    await standing.change((last) => (last === null ? null : { ...last, stalled }));
  }
}
