/**
 * A simulated database node: host, server, fence, promise record, and the agent's process with the real `DatabaseNode`
 * in it, again and again as it is killed and comes back.
 *
 * Knows how to put the agent together from simulated ports; the real ones are put together in src/composition.
 */
import { DatabaseBackend } from '../../agent/database-backend.ts';
import { DatabaseNode } from '../../agent/database-node.ts';
import type { ActionLog } from '../../agent/execution-context.ts';
import type { PeerAgent } from '../../agent/peers.ts';
import { beginning } from '../../audit/line.ts';
import { nobody } from '../../core/durability.ts';
import type { WalRequest } from '../../core/last-words.ts';
import type { PromiseRecord, PromiseRequest } from '../../core/promise.ts';
import type { NodeName } from '../../core/spec.ts';
import { UnderstudyError } from '../../errors/understudy-error.ts';
import type { ServerConfiguration } from '../../ports/postgres.ts';
import { FakeFence } from '../fakes/fence.ts';
import { FakePostgres } from '../fakes/postgres.ts';
import { FakeServer } from '../fakes/server.ts';
import { noFaults, type StoreFaults } from '../fakes/store.ts';
import { encodeSet, isSyncSet } from '../fakes/sync-set-text.ts';
import { type Host, SimulatedProcess } from './host.ts';
import type { Random } from './random.ts';
import type { World } from './world.ts';

const promiseWriteMs = { least: 0.5, most: 8 };

export interface RunningAgent {
  readonly process: SimulatedProcess;
  readonly node: DatabaseNode;
  readonly backend: DatabaseBackend;
}

/** Nobody new comes into a simulated cluster. */
const closed = () => Promise.reject(new UnderstudyError('NOT_FOUND', 'nobody enrols here'));

export class DatabaseMachine {
  readonly name: NodeName;
  readonly host: Host;
  readonly server: FakeServer;
  readonly fence: FakeFence;
  readonly storeFaults: StoreFaults = noFaults();
  agent: RunningAgent | null = null;
  /** Does a supervisor start the agent again? */
  isSupervised = true;
  readonly #world: World;
  readonly #random: Random;
  #promise: PromiseRecord = { kind: 'none' };

  constructor(name: NodeName, host: Host, world: World, random: Random) {
    this.name = name;
    this.host = host;
    this.#world = world;
    this.#random = random;
    this.server = new FakeServer(name, host, world.serverWorld, random.fork('server'));
    this.fence = new FakeFence(this.server, random.fork('fence'));
    const delays = random.fork('store');
    this.storeFaults.delayMs = () => delays.skewed(0.5, 8);
  }

  get promise(): PromiseRecord {
    return this.#promise;
  }

  startAgent(): void {
    if (this.agent !== null || !this.host.isAwake) return;
    const process = new SimulatedProcess(this.host);
    const node: DatabaseNode = new DatabaseNode(this.#parts(process));
    const backend = new DatabaseBackend({
      issue: async () => [],
      enrolment: { orderToken: closed, enrol: closed, certifyPerson: closed },
      cluster: this.#world.spec.cluster,
      agent: node,
      doctor: async () => [],
      disagreements: async () => [],
      audit: {
        log: () => ({ files: [], head: beginning, waiting: 0, missed: 0, trouble: null }),
        read: async () => ({ text: '', next: null }),
        accept: async () => undefined,
      },
      trust: { state: () => ({ record: null, nodes: [], resting: [] }), say: nowhere },
      registered: { all: () => [], register: nowhere, forget: nowhere },
      nextAfter: () => null,
      backups: {
        standing: async () => ({
          declared: null,
          hasSecret: false,
          repository: null,
          window: null,
          next: null,
          run: null,
          ended: [],
          trouble: null,
        }),
        order: nowhere,
        cancel: nowhere,
        passage: nowhere,
        giveSecret: nowhere,
      },
      authority: {
        state: () => ({ parts: [], sealing: [] }),
        renew: nowhere,
      },
      peer: (peer) => this.#peer(process, peer),
    });
    const agent = { process, node, backend };
    this.agent = agent;
    process.onDeath = () => {
      if (this.agent === agent) this.agent = null;
      this.#world.trace.say(this.name, 'agent dies');
    };
    this.#world.trace.say(this.name, 'agent starts');
    node.start((error) => this.#world.defect(`${this.name}: the agent broke`, error));
  }

  /** Its supervisor starts it again after a while. */
  killAgent(): void {
    this.agent?.process.kill();
    const restartMs = this.#random.between(200, 3_000);
    this.#world.time.after(restartMs, () => {
      if (this.isSupervised) this.host.whenAwake(() => this.startAgent());
    });
  }

  powerOff(): void {
    this.#world.trace.say(this.name, 'host goes down');
    this.server.loseOperatingSystem();
    this.fence.forget();
    this.host.powerOff();
  }

  powerOn(): void {
    if (!this.host.isDown) return;
    this.#world.trace.say(this.name, 'host comes up');
    this.host.powerOn();
    this.#world.time.after(this.#random.between(100, 2_000), () => {
      if (this.isSupervised) this.startAgent();
    });
  }

  #parts(process: SimulatedProcess) {
    const { spec } = this.#world;
    const store = this.#world.openStore(process, this.storeFaults);
    const log: ActionLog = {
      info: (facts, text) => this.#log(text, facts),
      warn: (facts, text) => this.#log(text, facts),
      error: (facts, text) => this.#log(text, facts),
    };
    return {
      node: this.name,
      version: 'simulated',
      clock: process.clock,
      store,
      log,
      postgres: new FakePostgres({
        server: this.server,
        fence: this.fence,
        agent: process,
        network: this.#world.network,
        random: this.#random,
        onBroken: (because) => this.#world.checks.violated('defect', `${this.name}: ${because}`),
        onAct: (act) => this.#world.event(this.name, `act.${act}`, {}),
        systemIdentifier: '7000000000000000001',
        major: spec.postgres.major,
        logins: this.#world.logins,
        serverOf: (node) => this.#world.machines.get(node)?.server,
      }),
      configuration: (_spec: unknown, _floor: unknown, sync: unknown): ServerConfiguration => ({
        parameters: { synchronous_standby_names: encodeSet(isSyncSet(sync) ? sync : nobody) },
        hba: [],
        ident: [],
      }),
      fence: this.fence.client(process),
      promises: {
        read: () => this.#promise,
        write: async (record: PromiseRecord) => {
          await process.clock.sleep(this.#random.skewed(promiseWriteMs.least, promiseWriteMs.most));
          this.#promise = record;
          this.#world.trace.say(this.name, `promise ${JSON.stringify(record)}`);
        },
      },
      askPromise: async (node: NodeName, request: PromiseRequest, withinMs: number) =>
        await this.#call(process, node, (agent) => agent.backend.promise(request, this.name), withinMs),
      credentials: this.#world.credentials,
      checkpointOn: async (node: NodeName, signal: AbortSignal) => await this.#peer(process, node).checkpoint(signal),
      askWal: async (node: NodeName, request: WalRequest, withinMs: number) =>
        (await this.#call(process, node, (agent) => agent.backend.lastWords(request), withinMs)).piece,
      bootId: this.host.bootId,
      restoreCommand: () => null,
      diskFreeBytes: async () => (this.server.disk.isFull ? 0 : 1e9),
    };
  }

  #log(text: string, facts: object): void {
    if ('event' in facts && typeof facts.event === 'string') {
      const { event, ...rest } = facts;
      this.#world.event(this.name, event, rest);
      return;
    }
    this.#world.trace.say(this.name, `${text} ${JSON.stringify(facts)}`);
  }

  #call<T>(
    from: SimulatedProcess,
    to: NodeName,
    work: (agent: RunningAgent) => Promise<T>,
    withinMs: number,
  ): Promise<T> {
    const machine = this.#world.machines.get(to);
    if (machine === undefined) throw new UnderstudyError('NOT_FOUND', `no node ${to}`);
    const { agent } = machine;
    return this.#world.network.call(
      from,
      { host: machine.host, process: agent?.process ?? null },
      () => (agent === null ? Promise.reject(new UnderstudyError('AGENT_UNREACHABLE', 'no agent')) : work(agent)),
      withinMs,
    );
  }

  #peer(process: SimulatedProcess, to: NodeName): PeerAgent {
    return {
      switchover: (request, by, signal) =>
        this.#call(process, to, (agent) => agent.backend.switchover(request, by, signal), 235_000),
      cancel: (operation, by) => this.#call(process, to, (agent) => agent.backend.cancel(operation, by), 5_000),
      checkpoint: (signal) => this.#call(process, to, (agent) => agent.backend.checkpoint(signal), 110_000),
    };
  }
}

function nowhere(): Promise<never> {
  return Promise.reject(new UnderstudyError('NOT_FOUND', 'there is none in a simulated cluster'));
}
