/**
 * One node's agent as it runs in production, and around it what a transcript says: the store, the other nodes, the node's
 * PostgreSQL, and time.
 *
 * It begins in the usual cluster: db1 is primary in term 5 on timeline 1, db2 and db3 stream from it, either may
 * acknowledge, web1 runs a pooler. Whoever is not gone goes on living: the holder renews, agents say each second that they
 * are there.
 */
import { DatabaseNode } from '../../src/agent/database-node.ts';
import type { MemberStatus } from '../../src/core/cluster-view.ts';
import type { Lease } from '../../src/core/lease.ts';
import type { PromiseRecord } from '../../src/core/promise.ts';
import type { NodeName } from '../../src/core/spec.ts';
import { UnderstudyError } from '../../src/errors/understudy-error.ts';
import type { Store, StoreWrite } from '../../src/ports/store.ts';
import { encodeRecord, type RecordKind, type Records } from '../../src/records/codecs.ts';
import { imageOf } from '../../src/records/image-changes.ts';
import { keys, memberKey, timelineKey } from '../../src/records/keys.ts';
import type { StoreImage } from '../../src/records/store-image.ts';
import { createFakeStore, noFaults } from '../../src/sim/fakes/store.ts';
import { worldClock } from '../../src/sim/world/host.ts';
import { type Scheduled, VirtualTime } from '../../src/sim/world/virtual-time.ts';
import { spec3, storedSpec } from '../fixtures/spec.ts';
import { held, memberPrimary, memberStatus, primary, standby, term } from '../fixtures/view.ts';
import { SceneServer } from './server.ts';
import type { Telling } from './telling.ts';

const beatEveryMs = 1_000;
const withinMs = 1_000;
const nodes = ['db1', 'db2', 'db3'];
const durability = { term, standbys: ['db2', 'db3'], k: 1 };

/** How the store treats this node: it answers at once, not at all, or nobody listens at its address. */
export type StoreMood = 'answers' | 'silent' | 'refuses';

export class Scene {
  readonly self: NodeName;
  readonly server: SceneServer;
  /** Nodes that are not heard any more. */
  readonly gone = new Set<NodeName>();
  readonly #telling: Telling;
  readonly #time = new VirtualTime();
  readonly #clock = worldClock(this.#time);
  readonly #store = createFakeStore(this.#clock);
  readonly #others = this.#store.open('psf/', noFaults());
  readonly #faults = noFaults();
  #mood: StoreMood = 'answers';
  #promise: PromiseRecord = { kind: 'none' };
  #agent: DatabaseNode | null = null;
  #fence: Scheduled | null = null;
  /** When the transcript's own time began; `null`: nothing is recorded yet. */
  #zeroMs: number | null = null;
  #broken: Error | null = null;

  constructor(self: NodeName, telling: Telling) {
    this.self = self;
    this.#telling = telling;
    this.server = new SceneServer(self === 'db1' ? primary({ syncSet: durability }) : standby());
    for (const node of self === 'db1' ? durability.standbys : []) this.server.streaming.add(node);
  }

  async begin(): Promise<void> {
    const written = { timeline: 1, lsn: '0/3000100' };
    const others = nodes.filter((node) => node !== this.self);
    await this.write(
      put('spec', keys.spec, storedSpec(spec3()).value),
      put('cluster', keys.cluster, { systemIdentifier: '7', postgresMajor: 17 }),
      put('lease', keys.lease, held('db1').value),
      put('renewal', keys.renewal, { term, counter: 9, candidates: nodes, written }),
      put('durability', keys.durability, durability),
      put('timeline', timelineKey(term), { term, timeline: 1, parent: null, forkLsn: '0/0' }),
      ...others.map((node) => {
        const status = memberStatus(node, node === 'db1' ? { postgres: memberPrimary() } : {});
        return put('member', memberKey(node), status);
      }),
    );
    this.#beatLater();
  }

  get isRecording(): boolean {
    return this.#zeroMs !== null;
  }

  /** Throws where it does not run yet. */
  get agent(): DatabaseNode {
    if (this.#agent === null) throw new Error('the agent does not run yet: `the agent starts`');
    return this.#agent;
  }

  /** `quietlyMs`: for so long it runs before anything is recorded. */
  async start(quietlyMs: number): Promise<void> {
    if (this.#agent !== null) throw new Error('the agent runs already');
    const agent = this.#createAgent();
    this.#agent = agent;
    let last = agent.latest;
    const tell = (): void => {
      if (this.#zeroMs === null || agent.latest === null || agent.latest === last) return;
      last = agent.latest;
      this.#telling.decided(this.#time.nowMs - this.#zeroMs, last.decision);
    };
    agent.onChange(tell);
    if (quietlyMs === 0) this.#zeroMs = this.#time.nowMs;
    agent.start((error) => this.#break(error));
    await this.pass(quietlyMs);
    this.#zeroMs ??= this.#time.nowMs;
    tell();
  }

  async pass(ms: number): Promise<void> {
    await this.#time.run(this.#time.nowMs + ms, () => this.#broken !== null);
    if (this.#broken !== null) throw this.#broken;
  }

  /** Whatever others write while it does not answer is seen when it answers again. */
  setMood(mood: StoreMood): void {
    this.#mood = mood;
    this.#faults.unreachable = mood === 'silent';
    this.#faults.watchesSilent = mood !== 'answers';
  }

  /** The others write this; whether the agent sees it is another matter. */
  async write(...writes: readonly StoreWrite[]): Promise<void> {
    await this.#others.transact([], writes, { withinMs });
  }

  /** What stands in the store. */
  async image(): Promise<StoreImage> {
    return imageOf(await this.#others.readAll({ withinMs }));
  }

  async lease(): Promise<Lease> {
    const lease = (await this.image()).lease?.value;
    if (lease === undefined) throw new Error('the store has no lease');
    return lease;
  }

  async saysOfItself(node: NodeName, change: Partial<MemberStatus>): Promise<void> {
    const status = (await this.image()).members.get(node)?.value ?? memberStatus(node);
    await this.write(put('member', memberKey(node), { ...status, ...change }));
  }

  async close(): Promise<void> {
    const ended = this.#agent?.stop();
    await this.pass(0).catch(() => undefined);
    await ended;
    await this.#others.close();
  }

  #createAgent(): DatabaseNode {
    const log = (facts: object, text: string): void => {
      // An event tells people the same once more.
      if (!('action' in facts) || 'event' in facts) return;
      this.#happened(`failed ${String(facts.action)}: ${'because' in facts ? String(facts.because) : text}`);
    };
    return new DatabaseNode({
      node: this.self,
      version: '0.1.0',
      clock: this.#clock,
      store: this.#openStore(),
      postgres: this.server.port,
      credentials: {
        sealable: () => new Set(),
        make: () => {
          throw new Error('nothing can be sealed in a transcript');
        },
      },
      log: { info: log, warn: log, error: log },
      configuration: (_spec, _floor, sync) => {
        this.server.sync = sync;
        return { parameters: {}, hba: [], ident: [] };
      },
      fence: {
        extend: async (_term, deadlineMs) => this.#strikeAt(deadlineMs),
        drop: async () => this.#strikeAt(null),
        startPrimary: async () => ({ pid: 0, startTicks: 0 }),
        promote: async () => undefined,
        close: () => undefined,
      },
      promises: {
        read: () => this.#promise,
        write: async (record) => {
          this.#promise = record;
        },
      },
      askPromise: async (node, { round }) => ({ given: !this.gone.has(node), round }),
      checkpointOn: async () => undefined,
      askWal: async () => null,
      bootId: 'boot-1',
      restoreCommand: () => null,
      diskFreeBytes: async () => null,
    });
  }

  #openStore(): Store {
    const store = this.#store.open('psf/', this.#faults);
    const transact: Store['transact'] = async (...all) => {
      if (this.#mood === 'refuses') throw new UnderstudyError('STORE_UNREACHABLE', 'connection refused');
      return await store.transact(...all);
    };
    return { ...store, transact };
  }

  /** As the fence does, whatever the agent is busy with. */
  #strikeAt(deadlineMs: number | null): void {
    this.#fence?.cancel();
    if (deadlineMs === null) return;
    this.#fence = this.#time.after(deadlineMs - this.#clock.boottimeMs(), () => {
      if (this.server.now.state !== 'primary') return;
      this.server.crash();
      this.#happened('the fence ends PostgreSQL: its deadline is over');
    });
  }

  #happened(text: string): void {
    if (this.#zeroMs !== null) this.#telling.happened(this.#time.nowMs - this.#zeroMs, text);
  }

  #beatLater(): void {
    this.#time.after(beatEveryMs, () => {
      this.#beatLater();
      this.#beat().catch((error: unknown) => this.#break(error));
    });
  }

  async #beat(): Promise<void> {
    const { lease, renewal, members } = await this.image();
    const isAlive = (node: NodeName): boolean => node !== this.self && !this.gone.has(node);
    const alive = [...members.values()].filter(({ value }) => isAlive(value.node));
    const renews = lease?.value.state === 'held' && isAlive(lease.value.holder) && renewal !== null;
    await this.write(
      ...alive.map(({ value }) => {
        const said = { ...value, term: lease?.value.term ?? value.term, counter: value.counter + 1 };
        return put('member', memberKey(value.node), said);
      }),
      ...(renews ? [put('renewal', keys.renewal, { ...renewal.value, counter: renewal.value.counter + 1 })] : []),
    );
  }

  #break(error: unknown): void {
    this.#broken ??= error instanceof Error ? error : new Error(String(error));
  }
}

export function put<K extends RecordKind>(kind: K, key: string, value: Records[K]): StoreWrite {
  return { key, value: encodeRecord(kind, value) };
}
