/**
 * How a simulated data directory comes to hold a cluster: initialised, copied from an upstream, or rewound to it.
 *
 * Invariants: a directory that held no cluster, or whose rewind has got beyond its rehearsal, is `unfinished` until all of
 * it is there; a copy that breaks off leaves an old one as it was; nothing is built before its settings are known. What
 * differs below a fork is not noticed, here as by pg_rewind: it compares numbers.
 */
import type { Stretch } from '../../core/divergence.ts';
import type { SyncSet } from '../../core/durability.ts';
import type { NodeName } from '../../core/spec.ts';
import type { ActOptions, Rescued } from '../../ports/postgres.ts';
import type { Random } from '../world/random.ts';
import { type ActTime, failed } from './act.ts';
import { type FakeDisk, lsnOf } from './disk.ts';
import type { FakePostgresParts } from './postgres.ts';
import type { FakeServer } from './server.ts';

/** Whom a directory is built from. */
interface Source {
  readonly disk: FakeDisk;
  /** Does it still answer as the process that was met first? One that was started again knows nothing of a copy under way. */
  readonly isThere: () => boolean;
}

export class Construction {
  readonly #parts: FakePostgresParts;
  readonly #server: FakeServer;
  readonly #random: Random;
  readonly #time: ActTime;
  readonly #configured: () => SyncSet;

  /** `configured`: the set that was last asked for; throws when none was. */
  constructor(parts: FakePostgresParts, time: ActTime, configured: () => SyncSet) {
    this.#parts = parts;
    this.#server = parts.server;
    this.#random = parts.random;
    this.#time = time;
    this.#configured = configured;
  }

  async initialise(options: ActOptions): Promise<{ systemIdentifier: string }> {
    this.#parts.onAct('initialise');
    const { disk } = this.#server;
    const configured = this.#configured();
    if (disk.content === 'cluster') throw failed('the data directory is not empty');
    disk.content = 'unfinished';
    await this.#time.take(this.#random.between(200, 800), options);
    const { systemIdentifier } = this.#parts;
    this.#server.initialise(systemIdentifier);
    disk.syncFile = configured;
    return { systemIdentifier };
  }

  async clone(
    upstream: { readonly node: NodeName },
    expected: { readonly slot: string },
    _onProgress: unknown,
    options: ActOptions,
  ): Promise<void> {
    this.#parts.onAct('clone');
    const configured = this.#configured();
    const { disk, failing } = this.#server;
    const source = this.#meet(upstream.node);
    if (source === null) throw failed('no such upstream');
    if (disk.content === 'absent') disk.content = 'unfinished';
    if (!source.isThere()) {
      await this.#time.take(50, options);
      throw failed('the upstream does not answer');
    }
    source.disk.slots.set(expected.slot, source.disk.flushed);
    await this.#time.take(this.#random.between(300, 1_500), options);
    if (failing.clone > 0) {
      failing.clone -= 1;
      throw failed('the copy broke off');
    }
    if (!source.isThere() || disk.isFull) throw failed('the upstream went away');
    disk.copyFrom(source.disk);
    disk.syncFile = configured;
    disk.upstream = upstream.node;
  }

  async rescue(request: { readonly stretches: readonly Stretch[] }, options: ActOptions): Promise<Rescued> {
    const { disk, process } = this.#server;
    if (process !== null) throw failed('a server still runs');
    await this.#time.take(this.#random.skewed(5, 500), options);
    const from = request.stretches[0]?.from ?? lsnOf(disk.end);
    const walBytes = Math.max(0, Number(lsnOf(disk.end) - from));
    const notKept = disk.isFull ? 'no room' : null;
    const found = { diverged: walBytes > 0, notKept, walBytes, dataBytes: Number(lsnOf(disk.end)) };
    return { found, report: null, isNew: false, removed: [] };
  }

  async rewind(
    upstream: { readonly node: NodeName },
    expected: { readonly slot: string },
    _onProgress: unknown,
    options: ActOptions,
  ): Promise<void> {
    const configured = this.#configured();
    const { disk, failing } = this.#server;
    const source = this.#meet(upstream.node);
    await this.#time.take(this.#random.between(5, 100), options);
    // The rehearsal: nothing has been changed so far.
    const at = source === null ? 'diverged' : commonHistory(source.disk, disk);
    if (source === null || !source.isThere() || at === 'diverged') throw failed('the rehearsal of the rewind failed');
    disk.content = 'unfinished';
    source.disk.slots.set(expected.slot, source.disk.flushed);
    await this.#time.take(this.#random.between(50, 800), options);
    if (failing.rewind > 0) failing.rewind -= 1;
    else if (source.isThere() && !disk.isFull) {
      // Numbers alone tell it what both have: records that differ below the fork stay as they are.
      const kept = disk.records.slice(0, at);
      disk.copyFrom(source.disk);
      disk.records.splice(0, kept.length, ...kept);
      disk.syncFile = configured;
      disk.upstream = upstream.node;
      return;
    }
    throw failed('the rewind broke off');
  }

  /** `null`: there is no such node. */
  #meet(node: NodeName): Source | null {
    const server = this.#parts.serverOf(node);
    if (server === undefined) return null;
    const { disk, host, process: met } = server;
    const isThere = (): boolean =>
      met?.phase === 'ready' && server.process === met && this.#parts.network.isOpen(host, this.#server.host);
    return { disk, isThere };
  }
}

/** Where pg_rewind sees the histories part: by timelines and positions alone (pg_rewind.c, findCommonAncestorTimeline). */
function commonHistory(source: FakeDisk, target: FakeDisk): number | 'diverged' {
  let common = -1;
  const isSame = (index: number): boolean => {
    const [a, b] = [source.history[index], target.history[index]];
    return a !== undefined && b !== undefined && a.timeline === b.timeline && a.at === b.at;
  };
  while (isSame(common + 1)) common += 1;
  if (common < 0) return 'diverged';
  const ends = [source, target].map(({ history, end }) => history[common + 1]?.at ?? end);
  const at = Math.min(...ends);
  // "No rewind required": it sees no fork.
  return source.timeline === target.timeline ? 'diverged' : at;
}
