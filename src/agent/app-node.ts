/**
 * The agent of an app node: hears the topology, decides (core/rules/pooler.ts), acts on its pooler, reports.
 *
 * Invariant: what was decided is in the journal before it is acted on, so that the next agent neither follows a lower
 * term nor forgets a pause; a journal that can't be written is trouble, and stops nothing. Each message wakes the loop at once; nothing on the way from a message to PAUSE or RESUME
 * waits for a timer. What it refuses: to judge the topology itself, see core/rules/.
 */
import type { TopologyMessage } from '../api/contract/app-nodes.ts';
import type { LocalTopologySource } from '../api/contract/local-topology.ts';
import {
  type CredentialsInUse,
  clientPasswordsInUse,
  clientPasswordsOf,
  pausable,
  withUnserved,
} from '../core/pooler-configuration.ts';
import type { PoolerReport } from '../core/pooler-report.ts';
import { decidePooler } from '../core/rules/pooler.ts';
import type { PoolerDecision } from '../core/rules/pooler-decision.ts';
import { noPoolerMemory, type PoolerMemory } from '../core/rules/pooler-memory.ts';
import { ranked } from '../core/rules/sightings.ts';
import type { ApplicationName } from '../core/spec.ts';
import { PoolerActs } from './app-node-acts.ts';
import { ApplicationFilesUpkeep, type FilesWish } from './app-node-files.ts';
import { Knocks } from './app-node-knocks.ts';
import { LocalTopologyView } from './app-node-local-topology.ts';
import type { AppNodeDeps } from './app-node-ports.ts';
import { Remembering } from './app-node-remembering.ts';
import { PoolerReports } from './app-node-reports.ts';
import { TopologyStreams } from './app-node-streams.ts';
import { type Wanted, WantedConfiguration } from './app-node-wanted.ts';
import { Wakeup } from './wakeup.ts';

const reportEveryMs = 2_000;
/** After an action failed: a pooler that can't start must not be started in a tight loop. */
const againAfterFailureMs = 250;
/** While it is not known whether the process lives. */
const againWhileUnknownMs = 50;

export interface AppNode {
  /** Ends the agent's part; the pooler goes on as it is, and the next agent with it. */
  stop(): Promise<void>;
  report(): PoolerReport;
  /** The last one; `null` before the first. */
  decision(): PoolerDecision | null;
  /** What database agents said last that this node should be; `null` before the first. */
  configuration(): TopologyMessage['configuration'] | null;
  /** Database agents say that this node is none of the cluster's any more. */
  isExpelled(): boolean;
  /** For the applications of this host. */
  readonly localTopology: LocalTopologySource;
}

class RunningAppNode {
  readonly #deps: AppNodeDeps;
  readonly #streams: TopologyStreams;
  readonly #reports: PoolerReports;
  readonly #acts: PoolerActs;
  readonly #knocks: Knocks;
  readonly #files: ApplicationFilesUpkeep;
  readonly #wanted: WantedConfiguration;
  readonly #journal: Remembering;
  readonly localTopology: LocalTopologyView;
  readonly #wakeup = new Wakeup();
  readonly #stopping = new AbortController();
  #memory: PoolerMemory = noPoolerMemory;
  #loadedRevision = 0;
  /** The clients' passwords of the configuration that the pooler took last; `null`: not known yet. */
  #taken: Readonly<Record<ApplicationName, number>> | null = null;
  #decision: PoolerDecision | null = null;
  #counter = 0;
  #reportedAtMs = Number.NEGATIVE_INFINITY;

  constructor(deps: AppNodeDeps) {
    const { node, pooler, clock, emit } = deps;
    this.#deps = deps;
    this.#wanted = new WantedConfiguration(deps.secrets, deps.clientLogins);
    this.#journal = new Remembering(deps.journal, (because) => {
      emit('action.failed', { node, action: 'remember', because });
    });
    this.#streams = new TopologyStreams(deps.source, clock, (message) => this.#heard(message));
    this.#reports = new PoolerReports(deps.reporter, clock, this.#stopping.signal);
    this.#knocks = new Knocks(pooler, clock, this.#stopping.signal, () => this.#wakeup.wake());
    this.#files = new ApplicationFilesUpkeep(deps.files, clock, (renewed) => {
      for (const [application, generation] of renewed) emit('client_password.told', { application, node, generation });
      this.#reportChange();
    });
    this.localTopology = new LocalTopologyView(() => ({ ...this.#said(), report: this.report() }));
    this.#acts = new PoolerActs({
      node,
      pooler,
      clock,
      emit,
      primary: () => ({
        node: this.#memory.primary?.node ?? null,
        place: this.#memory.primary,
        term: this.#memory.term,
      }),
      changed: () => this.#reportChange(),
      doubt: () => this.#knocks.stirred(),
      wake: () => this.#wakeup.wake(),
      remember: () => this.#writeJournal(),
    });
  }

  async run(): Promise<void> {
    const unsubscribe = this.#deps.pooler.onLost(() => this.#acts.lost());
    const settle = this.#deps.pooler.onStir(() => this.#knocks.stirred());
    try {
      await this.#takeOver();
      this.#streams.follow(this.#deps.agents);
      while (!this.#stopping.signal.aborted) {
        const lookAgainInMs = await this.#turn();
        await this.#wakeup.wait(lookAgainInMs, this.#deps.clock, this.#stopping.signal);
      }
    } finally {
      unsubscribe();
      settle();
      this.#streams.stop();
      await this.#acts.close();
    }
  }

  stop(): void {
    this.#stopping.abort();
    this.#wakeup.wake();
  }

  get decision(): PoolerDecision | null {
    return this.#decision;
  }

  get isExpelled(): boolean {
    return this.#streams.isExpelled;
  }

  get configuration(): Wanted | null {
    return this.#wanted.known;
  }

  report(): PoolerReport {
    const { gate, local, state, blockers, lastPause, trouble } = this.#acts;
    const { otherTrouble } = this.#deps;
    const running = local.state === 'running' ? local : null;
    return {
      node: this.#deps.node,
      counter: this.#counter,
      state,
      operation: gate.state === 'draining' || gate.state === 'drained' ? gate.operation : null,
      term: this.#memory.term,
      primary: this.#memory.primary?.node ?? null,
      clients: running?.clients ?? 0,
      waiting: running?.waiting ?? 0,
      specRevision: this.#loadedRevision,
      readOnly: this.#isReadOnly(),
      blockers,
      poolerVersion: running?.version ?? null,
      lastPause,
      trouble:
        trouble ??
        this.#deps.secrets.trouble ??
        this.#deps.clientLogins.trouble ??
        this.#journal.trouble ??
        this.#files.trouble ??
        otherTrouble?.() ??
        null,
      credentials: this.#credentialsInUse(),
      clientPasswords: clientPasswordsInUse(this.#files.told, running?.formerClients ?? {}),
    };
  }

  #credentialsInUse(): CredentialsInUse | undefined {
    const { credentials, loaded } = this.#acts;
    if (credentials === null) return undefined;
    return withUnserved(credentials, loaded, this.#wanted.known?.applications.map(({ name }) => name) ?? []);
  }

  #heard(message: TopologyMessage): void {
    const { configuration } = message;
    this.#deps.revoked.learn(configuration?.revoked ?? []);
    if (configuration !== undefined && this.#wanted.hear(configuration) && configuration.databaseAgents.length > 0) {
      this.#streams.follow(configuration.databaseAgents);
    }
    this.localTopology.look();
    this.#wakeup.wake();
  }

  /** Goes on where the last agent ended: first of all with a pause that is still in force. */
  async #takeOver(): Promise<void> {
    const kept = this.#deps.journal.read();
    if (kept === null) return;
    this.#memory = kept.memory;
    const { configuration } = kept.memory;
    if (kept.gate.state !== 'open' && configuration !== null) await this.#acts.takeOver(kept.gate, configuration);
  }

  async #turn(): Promise<number> {
    const { clock, node, listenAddress } = this.#deps;
    const { gate, process, strayPause, loaded } = this.#acts;
    const wanted = this.#wanted.reached();

    const decision = decidePooler(
      {
        self: node,
        ...this.#said(),
        wanted: wanted === null ? null : { ...wanted, listenAddress },
        gate,
        process,
        strayPause,
        loaded,
        reach: this.#knocks.reach,
        stirredAtMs: this.#knocks.stirredAtMs,
      },
      this.#memory,
    );
    this.#decision = decision;
    this.#memory = decision.memory;
    this.#knocks.want(decision.knock);
    this.#files.tend(this.#wantedFiles());
    // A pause writes it itself, with its gate; all else must be known before it is acted on.
    if (!decision.actions.some(({ do: act }) => act === 'pause' || act === 'hold')) this.#writeJournal();
    const succeeded = await this.#acts.perform(decision.actions);
    if (succeeded && this.#acts.loaded !== null && gate.state === 'open') {
      this.#loadedRevision = wanted?.specRevision ?? this.#loadedRevision;
    }
    if (clock.boottimeMs() - this.#reportedAtMs >= reportEveryMs) this.#reportOrdinarily();
    const before = this.#acts.process;
    await this.#acts.observeWhenDue();
    this.localTopology.look();
    if (!succeeded) return againAfterFailureMs;
    if (this.#acts.process !== before) this.#wakeup.wake();
    return this.#acts.process === 'unknown' ? againWhileUnknownMs : decision.lookAgainInMs;
  }

  #wantedFiles(): FilesWish {
    if (this.#streams.isExpelled) return 'leave';
    const wanted = this.#wanted.known;
    // Nobody is told of a password before the pooler takes it.
    this.#taken = this.#acts.loaded === null ? this.#taken : clientPasswordsOf(this.#acts.loaded);
    const clientPasswords = this.#taken;
    if (wanted === null || clientPasswords === null) return 'none';
    const { applications, databaseAgents, poolers } = wanted;
    const databaseNodes = databaseAgents.map((agent) => agent.node);
    const { listenAddress } = this.#deps;
    return { listenAddress, port: poolers.port, applications, databaseNodes, clientPasswords };
  }

  /** To all that are heard: the driver of a switchover waits for it, and the next driver needs it too. */
  #reportChange(): void {
    this.#counted();
    this.#reports.send(this.#streams.connected, this.report(), true);
    this.localTopology.look();
  }

  #reportOrdinarily(): void {
    this.#counted();
    const connected = this.#streams.connected;
    const [best] = ranked(this.#said(), this.#memory.term);
    const holder = best?.topology.primary?.node ?? best?.agent;
    const target = connected.find((agent) => agent.node === holder) ?? connected[0];
    if (target !== undefined) this.#reports.send([target], this.report(), false);
  }

  /** By what the pooler has taken, not by what was asked. */
  #isReadOnly(): boolean {
    return this.#memory.readOnly && pausable(this.#acts.loaded?.aliases ?? []).length === 0;
  }

  #said() {
    const { clock, cluster } = this.#deps;
    return { cluster, nowMs: clock.boottimeMs(), sightings: this.#streams.sightings };
  }

  #counted(): void {
    this.#counter += 1;
    this.#reportedAtMs = this.#deps.clock.boottimeMs();
  }

  #writeJournal(): void {
    this.#journal.write({ memory: this.#memory, gate: this.#acts.gate });
  }
}

/**
 * Starts the loop; it ends with `stop`, which leaves the pooler as it is, paused or not. `onBroken` is called with the
 * error when the loop itself breaks, which is a defect: the pooler goes on, and the agent should end.
 */
export function startAppNode(deps: AppNodeDeps, onBroken: (error: unknown) => void): AppNode {
  const node = new RunningAppNode(deps);
  const ended = node.run().catch(onBroken);
  return {
    async stop() {
      node.stop();
      await ended;
    },
    report: () => node.report(),
    decision: () => node.decision,
    configuration: () => node.configuration,
    isExpelled: () => node.isExpelled,
    localTopology: node.localTopology,
  };
}
