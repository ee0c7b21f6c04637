/** A simulated app node: host, pooler, and the real agent of an app node, again and again as it is killed and comes back. */
import { type AppNode, startAppNode } from '../../agent/app-node.ts';
import type { AppNodeJournal, PoolerReporter, TopologySource } from '../../agent/app-node-ports.ts';
import type { AppNodeMemory } from '../../core/rules/pooler-memory.ts';
import type { NodeName } from '../../core/spec.ts';
import { fakeCredentialKeeper } from '../fakes/credential-keeper.ts';
import { FakePooler } from '../fakes/pooler.ts';
import { type Host, SimulatedProcess } from './host.ts';
import type { Random } from './random.ts';
import type { World } from './world.ts';

const heartbeatMs = 900;

export class AppMachine {
  readonly name: NodeName;
  readonly host: Host;
  readonly pooler: FakePooler;
  process: SimulatedProcess | null = null;
  isSupervised = true;
  readonly #world: World;
  readonly #random: Random;
  readonly #secrets = fakeCredentialKeeper();
  #journal: { readonly memory: AppNodeMemory; readonly bootId: string } | null = null;

  constructor(name: NodeName, host: Host, world: World, random: Random) {
    this.name = name;
    this.host = host;
    this.#world = world;
    this.#random = random;
    this.pooler = new FakePooler(host, world.network, random.fork('pooler'), (address) => world.serverAt(address));
  }

  startAgent(): AppNode | null {
    if (this.process !== null || !this.host.isAwake) return null;
    const process = new SimulatedProcess(this.host);
    this.process = process;
    process.onDeath = () => {
      if (this.process === process) this.process = null;
      this.#world.trace.say(this.name, 'agent dies');
    };
    this.#world.trace.say(this.name, 'agent starts');
    return startAppNode(
      {
        node: this.name,
        cluster: this.#world.spec.cluster,
        listenAddress: '127.0.0.1',
        agents: this.#world.databaseAgents(),
        pooler: this.pooler.port(process),
        files: { keep: async () => null, leave: async () => null },
        source: this.#source(process),
        reporter: this.#reporter(process),
        revoked: { learn: () => undefined },
        secrets: this.#secrets,
        clientLogins: { reach: (_, generation) => generation, trouble: null },
        journal: this.#journalOf(),
        clock: process.clock,
        emit: (name, facts) => this.#world.event(this.name, name, facts),
      },
      (error) => this.#world.defect(`${this.name}: the agent broke`, error),
    );
  }

  killAgent(): void {
    this.process?.kill();
    this.#world.time.after(this.#random.between(200, 3_000), () => {
      if (this.isSupervised) this.host.whenAwake(() => this.startAgent());
    });
  }

  powerOff(): void {
    this.#world.trace.say(this.name, 'host goes down');
    this.host.powerOff();
    this.pooler.kill();
  }

  powerOn(): void {
    if (!this.host.isDown) return;
    this.#world.trace.say(this.name, 'host comes up');
    this.host.powerOn();
    this.#world.time.after(this.#random.between(100, 2_000), () => this.startAgent());
  }

  #journalOf(): AppNodeJournal {
    return {
      read: () => {
        if (this.#journal === null) return null;
        const { memory, bootId } = this.#journal;
        return bootId === this.host.bootId ? memory : { ...memory, gate: { state: 'open' } };
      },
      write: (memory) => {
        this.#journal = { memory, bootId: this.host.bootId };
      },
    };
  }

  #source(process: SimulatedProcess): TopologySource {
    const { network, machines, time } = this.#world;
    return {
      follow: (agent, onMessage, onBreak, signal) => {
        const machine = machines.get(agent.node);
        if (machine === undefined) return;
        const hear = (run: () => void): void =>
          network.send(machine.host, process.host, () => {
            if (!signal.aborted) process.deliver(run);
          });
        network.send(process.host, machine.host, () => {
          const running = machine.agent;
          if (running === null) {
            hear(() => onBreak('refused', false));
            return;
          }
          const send = (): void => {
            const message = running.backend.topologyMessage(this.name);
            hear(() => onMessage(message));
          };
          const unlisten = running.backend.onTopology(send);
          const beat = (): void => {
            if (signal.aborted || !process.isAlive) {
              unlisten();
              return;
            }
            if (!running.process.isAlive) {
              hear(() => onBreak('the agent is gone', false));
              return;
            }
            running.process.deliver(send);
            time.after(heartbeatMs, beat);
          };
          running.process.deliver(beat);
        });
      },
    };
  }

  #reporter(process: SimulatedProcess): PoolerReporter {
    return {
      report: async (agent, report, { withinMs }) => {
        const machine = this.#world.machines.get(agent.node);
        if (machine === undefined) return;
        const running = machine.agent;
        await this.#world.network.call(
          process,
          { host: machine.host, process: running?.process ?? null },
          async () => running?.backend.report(report),
          withinMs,
        );
      },
    };
  }
}
