/**
 * The node's PostgreSQL in a transcript: it is what the transcript says, and what takes long ends when the transcript says.
 * It neither replays nor streams by itself; an act changes of it what such an act changes at the least.
 */
import { createLatePostgres } from '../../src/agent/late-postgres.ts';
import type { SyncSet } from '../../src/core/durability.ts';
import type { LocalPostgres } from '../../src/core/local-postgres.ts';
import { type Lsn, lsnFromOffset } from '../../src/core/lsn.ts';
import type { NodeName } from '../../src/core/spec.ts';
import type { ActOptions, Postgres } from '../../src/ports/postgres.ts';
import { peer, plus, primary, standby, stopped } from '../fixtures/view.ts';

const shutdownRecordBytes = 0x28;
/** No transcript sees more than one fork. */
const holdersTimeline = 2;
/** What it has alone after a crash: less than its data, so that a rewind is the shorter way. */
const found = { diverged: true, notKept: null, walBytes: 4_096, dataBytes: 1_000_000 };

export class SceneServer {
  now: LocalPostgres;
  /** Standbys that stream from here while it is primary. */
  readonly streaming = new Set<NodeName>();
  /** Whom the files name that are written next. */
  sync: SyncSet = { standbys: [], k: 0 };
  readonly #waiting = new Map<string, () => void>();
  #pid = 50;

  constructor(now: LocalPostgres) {
    this.now = now;
  }

  /** Throws where nothing of the kind is under way. */
  end(what: string): void {
    const ended = this.#waiting.get(what);
    if (ended === undefined) throw new Error(`no ${what} is under way`);
    this.#waiting.delete(what);
    ended();
  }

  /** It ends without its shutdown checkpoint, and nothing of it is left. */
  crash(): void {
    this.now = stopped({ shutdown: 'crashed', timeline: this.#timeline, checkpointLsn: this.#end });
  }

  /** Throws where it is no standby. */
  change(facts: Partial<Extract<LocalPostgres, { state: 'standby' }>>): void {
    if (this.now.state !== 'standby') throw new Error(`PostgreSQL is ${this.now.state}, and no standby`);
    this.now = { ...this.now, ...facts };
  }

  get port(): Postgres {
    return {
      ...createLatePostgres(() => null),
      observe: async () => this.#look(),
      configure: async () => true,
      applySlots: async () => undefined,
      applyDatabases: async () => undefined,
      discardKept: async () => undefined,
      openTransactions: async () => [],
      probeWrite: async () => ({ came: 'written', tookMs: 1 }),
      setSyncStandbys: async () => {
        if (this.now.state === 'primary') this.now = { ...this.now, syncSet: this.sync };
        return { mark: this.#end };
      },
      follow: async ({ node }) => {
        this.change({ upstream: node, receiver: 'connecting' });
        return true;
      },
      cutOff: async (options) => {
        await this.#until('cut', options);
        this.change({ upstream: null, receiver: 'none' });
      },
      hearWal: async (_ask, options) => {
        await this.#until('hear', options);
        return 0;
      },
      stop: async (_how, options) => {
        await this.#until('stop', options);
        const { state: lastRole } = this.now;
        if (lastRole !== 'primary' && lastRole !== 'standby') return { clean: null };
        const checkpointLsn = lastRole === 'primary' ? plus(this.#end, shutdownRecordBytes) : this.#end;
        this.now = stopped({ timeline: this.#timeline, checkpointLsn, lastRole });
        return { clean: null };
      },
      start: async (as, options) => {
        await this.#until('start', options);
        this.#pid += 1;
        const upstream = as.role === 'standby' ? (as.upstream?.node ?? null) : null;
        const receiver = upstream === null ? 'none' : 'connecting';
        const facts = { pid: this.#pid, timeline: this.#timeline };
        this.now =
          as.role === 'primary'
            ? primary({ ...facts, insertLsn: this.#end, syncSet: this.sync })
            : standby({ ...facts, at: this.#end, upstream, receiver });
      },
      promote: async (timeline, options) => {
        await this.#until('promote', options);
        const fork = { parent: this.#timeline, lsn: this.#end };
        this.now = primary({ timeline: timeline ?? fork.parent + 1, insertLsn: fork.lsn, fork, syncSet: this.sync });
      },
      rescue: async (_request, options) => {
        await this.#until('rescue', options);
        return { found, report: null, isNew: true, removed: [] };
      },
      rewind: async (_upstream, _expected, _report, options) => {
        await this.#until('rewind', options);
        this.now = stopped({ timeline: holdersTimeline, checkpointLsn: this.#end, lastRole: 'standby' });
      },
    };
  }

  get #timeline(): number {
    return 'timeline' in this.now ? this.now.timeline : 1;
  }

  get #end(): Lsn {
    const { now } = this;
    if (now.state === 'primary') return now.insertLsn;
    if (now.state === 'standby') return now.replayedLsn;
    return now.state === 'stopped' ? now.checkpointLsn : lsnFromOffset(0n);
  }

  #look(): LocalPostgres {
    const { now } = this;
    if (now.state !== 'primary') return now;
    const position = { sentLsn: now.insertLsn, flushLsn: now.insertLsn, replayLsn: now.insertLsn };
    return { ...now, peers: [...this.streaming].map((node) => peer(node, position)) };
  }

  #until(what: string, { signal }: ActOptions): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.set(what, resolve);
      signal?.addEventListener('abort', () => reject(new Error(`${what} was given up`)), { once: true });
    });
  }
}
