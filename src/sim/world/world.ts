/**
 * A whole simulated cluster: time, network, store, machines with real agents on them, applications, checks.
 *
 * Composes; what happens in it is written in a plan (sim/plan.ts) and carried out by sim/run-seed.ts.
 */

import type { DatabaseAgent } from '../../agent/app-node-ports.ts';
import { hostName, type NodeName, nodesOfRole, type Spec } from '../../core/spec.ts';
import { describeError } from '../../errors/understudy-error.ts';
import type { CredentialMaker } from '../../ports/credentials.ts';
import type { Store } from '../../ports/store.ts';
import { decodeRecord, encodeRecord } from '../../records/codecs.ts';
import { keys, timelinePrefix } from '../../records/keys.ts';
import { Checks } from '../checks/checks.ts';
import { leaseHolder } from '../checks/healed.ts';
import { FakeLogins, fakeCredentialMaker } from '../fakes/logins.ts';
import type { FakeServer, ServerWorld } from '../fakes/server.ts';
import { createFakeStore, type FakeStore, noFaults, type StoreFaults } from '../fakes/store.ts';
import { AppMachine } from './app-machine.ts';
import { DatabaseMachine } from './database-machine.ts';
import { Host, type SimulatedProcess, worldClock } from './host.ts';
import { Load } from './load.ts';
import { Network } from './network.ts';
import type { Random } from './random.ts';
import { Trace } from './trace.ts';
import { VirtualTime } from './virtual-time.ts';

export interface WorldOptions {
  readonly spec: Spec;
  readonly random: Random;
  /** How fast each node's clocks go. */
  readonly rates: Readonly<Record<NodeName, number>>;
  readonly keepTrace: boolean;
}

export class World {
  readonly time = new VirtualTime();
  readonly spec: Spec;
  readonly random: Random;
  readonly trace: Trace;
  readonly network: Network;
  readonly store: FakeStore;
  readonly checks: Checks;
  readonly load: Load;
  readonly machines = new Map<NodeName, DatabaseMachine>();
  readonly apps = new Map<NodeName, AppMachine>();
  readonly serverWorld: ServerWorld;
  readonly logins = new FakeLogins();
  readonly credentials: CredentialMaker;
  readonly #listeners = new Set<(node: NodeName, name: string) => void>();
  /** Of each term's last renewal. */
  readonly #counters = new Map<number, number>();
  #serial = 0;

  constructor(options: WorldOptions) {
    const { spec, random } = options;
    this.spec = spec;
    this.credentials = fakeCredentialMaker(spec.nodes.map(({ name }) => name));
    this.random = random;
    this.trace = new Trace(this.time, options.keepTrace);
    this.network = new Network(this.time, random.fork('network'));
    this.store = createFakeStore(worldClock(this.time));
    const servers = () => [...this.machines.values()].map(({ server }) => server);
    this.checks = new Checks(this.time, servers, spec.failover.lossLimitBytes);
    this.load = new Load(random.fork('load'));
    this.serverWorld = {
      time: this.time,
      network: this.network,
      watcher: {
        becameWritable: (server) => this.#becameWritable(server),
        acknowledged: (server, commit) => this.checks.acknowledged(server, commit),
      },
      server: (node) => this.machines.get(node)?.server,
      nextSerial: () => {
        this.#serial += 1;
        return this.#serial;
      },
    };
    const host = (name: NodeName) => new Host(name, this.time, options.rates[name] ?? 1);
    for (const { name } of nodesOfRole(spec, 'database')) {
      this.machines.set(name, new DatabaseMachine(name, host(name), this, random.fork(name)));
    }
    for (const { name } of nodesOfRole(spec, 'app')) {
      this.apps.set(name, new AppMachine(name, host(name), this, random.fork(name)));
    }
  }

  /** Stores the declaration and starts every agent. */
  async begin(): Promise<void> {
    const prefix = this.#prefix;
    const operator = this.store.open(prefix, noFaults());
    const value = encodeRecord('spec', {
      revision: 1,
      spec: this.spec,
      appliedAt: 'in the beginning',
      appliedBy: 'sim',
    });
    await operator.transact([], [{ key: keys.spec, value }], { withinMs: 1_000 });
    operator.watch(
      1,
      { changed: (changes) => this.#written(changes), lost: () => undefined },
      new AbortController().signal,
    );
    for (const machine of this.machines.values()) machine.startAgent();
    for (const app of this.apps.values()) app.startAgent();
  }

  openStore(process: SimulatedProcess, faults: StoreFaults): Store {
    const store = this.store.open(this.#prefix, faults);
    process.ended.addEventListener('abort', () => void store.close());
    return {
      readAll: (options) => process.through(store.readAll(options)),
      transact: (conditions, writes, options) => process.through(store.transact(conditions, writes, options)),
      watch(fromRevision, watcher, signal) {
        store.watch(
          fromRevision,
          {
            changed: (changes, revision) => process.deliver(() => watcher.changed(changes, revision)),
            lost: (because) => process.deliver(() => watcher.lost(because)),
          },
          signal,
        );
      },
      close: () => store.close(),
    };
  }

  serverAt(address: string): FakeServer | undefined {
    const node = this.spec.nodes.find((known) => known.address === address);
    return node === undefined ? undefined : this.machines.get(node.name)?.server;
  }

  databaseAgents(): readonly DatabaseAgent[] {
    return nodesOfRole(this.spec, 'database').map(({ name, address }) => ({
      node: name,
      address,
      hostName: hostName(this.spec, name),
    }));
  }

  /** What an agent tells people. */
  event(node: NodeName, name: string, facts: object): void {
    this.trace.say(node, `${name} ${JSON.stringify(facts)}`);
    this.#tell(node, name);
  }

  #tell(node: NodeName, name: string): void {
    for (const listener of [...this.#listeners]) listener(node, name);
  }

  onEvent(listener: (node: NodeName, name: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  defect(what: string, error: unknown): void {
    const stack = error instanceof Error ? (error.stack ?? '') : '';
    this.trace.say('DEFECT', `${what}: ${stack}`);
    this.checks.violated('defect', `${what}: ${describeError(error)}`);
  }

  get #prefix(): string {
    return `/understudy/${this.spec.cluster}/`;
  }

  #becameWritable(server: FakeServer): void {
    this.trace.say(server.node, `is writable on timeline ${server.disk.timeline} from record ${server.disk.end} on`);
    this.checks.becameWritable(server);
  }

  #written(
    changes: readonly { readonly kind: string; readonly entry?: { readonly key: string; readonly value: string } }[],
  ): void {
    for (const { entry } of changes) {
      if (entry?.key === keys.durability) {
        this.trace.say('store', `durability ${entry.value}`);
        const record = decodeRecord('durability', entry.value);
        if (record.ok) this.checks.durabilityWritten(record.value);
        this.#tell('store', 'store.durability');
      }
      if (entry?.key === keys.renewal) this.#renewed(entry.value);
      if (entry?.key === keys.acceptedLoss) this.#tell('store', 'store.accepted-loss');
      if (entry?.key === keys.operation) {
        const operation = decodeRecord('operation', entry.value);
        if (operation.ok && operation.value.phase === 'handed-over')
          this.checks.losses.handedOver(operation.value.term + 1);
      }
      if (entry?.key.startsWith(timelinePrefix) === true) {
        const timeline = decodeRecord('timeline', entry.value);
        if (timeline.ok && timeline.value.acceptedLoss !== undefined) this.#lossAccepted(timeline.value.term);
      }
      if (entry?.key !== keys.lease) continue;
      const decoded = decodeRecord('lease', entry.value);
      if (!decoded.ok) continue;
      const lease = decoded.value;
      this.trace.say('store', `lease ${entry.value}`);
      this.checks.leaseWritten(lease.term, lease.state === 'held' ? lease.holder : null);
      this.#tell('store', 'store.lease');
    }
  }

  /** What was accepted must be what is lost: of a holder that has not renewed since. */
  #lossAccepted(term: number): void {
    const value = this.store.read(this.#prefix + keys.acceptedLoss);
    const record = value === null ? null : decodeRecord('accepted-loss', value);
    const isOfThis =
      record?.ok === true && record.value.term === term && record.value.counter === this.#counters.get(term - 1);
    if (isOfThis) this.checks.lossAccepted(term);
    else
      this.checks.violated('stale-acceptance', `term ${term} began by a loss that was accepted of an earlier silence`);
  }

  #renewed(value: string): void {
    const renewal = decodeRecord('renewal', value);
    if (renewal.ok) this.#counters.set(renewal.value.term, renewal.value.counter);
    const server = this.machines.get(leaseHolder(this) ?? '')?.server;
    if (server !== undefined) this.checks.losses.renewed(server);
  }
}
