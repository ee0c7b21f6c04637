/**
 * Carries out one plan: first anything may fail and nothing that was promised may be lost; then all but what stays lost
 * for ever is healed, and the cluster must come back to full redundancy by itself.
 */

import { defaultFailover } from '../core/declared-durability.ts';
import type { NodeName } from '../core/spec.ts';
import type { Violation } from './checks/checks.ts';
import { isDispensable, isLevel, leaseHolder, whyNotHealthy } from './checks/healed.ts';
import { PauseWatch } from './checks/pause-watch.ts';
import { beginFault, type FaultKind } from './faults/catalogue.ts';
import { isCurable, type Plan } from './plan.ts';
import { holder, type PlannedCommand, type PlannedFault, speaker, type When } from './planned-fault.ts';
import type { RunningAgent } from './world/database-machine.ts';
import { Random } from './world/random.ts';
import { simulatedSpec } from './world/simulated-spec.ts';
import { World } from './world/world.ts';

export interface SeedResult {
  readonly plan: Plan;
  /** Which faults really began; what waits for an event may never come. */
  readonly begun: readonly FaultKind[];
  readonly violations: readonly Violation[];
  readonly traceHash: string;
  readonly trace: readonly string[];
  readonly virtualMs: number;
  readonly events: number;
  readonly rows: { readonly committed: number; readonly failed: number; readonly unknown: number };
  /** Answered as committed, locally, and not there in the end. */
  readonly lostLocal: number;
  readonly terms: number;
}

const formWithinMs = 30_000;
const healWithinMs = 120_000;
const lookEveryMs = 100;
const restMs = 1_500;

export async function runSeed(plan: Plan, keepTrace: boolean): Promise<SeedResult> {
  const random = new Random(`world ${plan.seed}`);
  const { lossLimitBytes } = plan;
  const failover = lossLimitBytes === null ? defaultFailover('local') : { lossLimitBytes };
  const spec = simulatedSpec(plan.databases, plan.apps, plan.durability, failover);
  const rates = Object.fromEntries(spec.nodes.map(({ name }) => [name, 1 + random.between(-0.004, 0.004)]));
  const world = new World({ spec, random, rates, keepTrace });
  const run = new SeedRun(world, plan);
  await run.all();
  return run.result();
}

class SeedRun {
  readonly #world: World;
  readonly #plan: Plan;
  readonly #begun: FaultKind[] = [];
  readonly #undo = new Set<() => void>();
  readonly #lost = new Set<NodeName>();
  #lostLocal = 0;
  #isQuiet = false;

  constructor(world: World, plan: Plan) {
    this.#world = world;
    this.#plan = plan;
  }

  async all(): Promise<void> {
    const { time, checks } = this.#world;
    await this.#world.begin();
    const isFormed = await this.#untilHealthy(formWithinMs, new Set());
    if (!isFormed) return;
    for (const app of this.#world.apps.values()) {
      for (let writer = 0; writer < this.#plan.writersEach; writer += 1) {
        this.#world.load.write(app.pooler, this.#plan.everyMs);
      }
    }
    const offsetMs = time.nowMs;
    new PauseWatch(this.#world).begin();
    for (const fault of this.#plan.faults) {
      this.#at(fault.when, offsetMs, (teller) => this.#fail(fault, teller));
    }
    for (const command of this.#plan.commands) this.#at(command.when, offsetMs, () => this.#command(command));
    await time.run(offsetMs + this.#plan.troubleMs + 2_000, () => checks.violations.length > 0);
    if (checks.violations.length > 0) return;
    await this.#heal();
  }

  result(): SeedResult {
    const { world, plan } = { world: this.#world, plan: this.#plan };
    const rows = { committed: 0, failed: 0, unknown: 0 };
    for (const row of world.load.rows) {
      if (row.outcome !== 'open') rows[row.outcome] += 1;
    }
    return {
      plan,
      begun: this.#begun,
      violations: world.checks.violations,
      traceHash: world.trace.hash,
      trace: world.trace.lines,
      virtualMs: world.time.nowMs,
      events: world.time.events,
      rows,
      lostLocal: this.#lostLocal,
      terms: world.checks.term,
    };
  }

  /** `teller`: the node whose word it waited for. */
  #at(when: When, offsetMs: number, run: (teller: NodeName | null) => void): void {
    const { time } = this.#world;
    const once = (teller: NodeName | null): void => {
      if (!this.#isQuiet) run(teller);
    };
    if ('atMs' in when) {
      time.after(offsetMs + when.atMs - settledByMs - time.nowMs, () => once(null));
      return;
    }
    let seen = 0;
    const unlisten = this.#world.onEvent((node, name) => {
      if (name !== when.event || time.nowMs < offsetMs + (when.fromMs ?? settledByMs) - settledByMs) return;
      seen += 1;
      if (seen < when.nth) return;
      unlisten();
      time.after(when.delayMs, () => once(node));
    });
  }

  #fail(fault: PlannedFault, teller: NodeName | null): void {
    const { time, trace } = this.#world;
    const node = this.#victim(fault.node, teller);
    if (node === null) return;
    trace.say('FAULT', `${fault.kind} ${node} for ${Math.round(fault.forMs)} ms`);
    const other = fault.other === node ? [...this.#world.machines.keys()].find((name) => name !== node) : fault.other;
    const undo = beginFault(this.#world, fault.kind, node, other ?? node);
    if (undo === null) return;
    this.#begun.push(fault.kind);
    if (fault.forEver) {
      this.#lost.add(node);
      return;
    }
    const over = (): void => {
      if (!this.#undo.delete(over)) return;
      trace.say('FAULT', `${fault.kind} ${node} is over`);
      undo();
    };
    this.#undo.add(over);
    time.after(fault.forMs, over);
  }

  #victim(node: PlannedFault['node'], teller: NodeName | null): NodeName | null {
    if (node === speaker && teller !== null && this.#world.machines.has(teller)) return teller;
    return node === speaker || node === holder ? leaseHolder(this.#world) : node;
  }

  #command(command: PlannedCommand): void {
    const { what, node } = command;
    const agent = this.#world.machines.get(node)?.agent ?? null;
    this.#world.trace.say('ORDER', `${what}, asked of ${node}`);
    if (agent === null) return;
    agent.process.deliver(() => {
      ask(command, agent).then(
        (answer) => this.#world.trace.say('ORDER', `${what}: ${JSON.stringify(answer)}`),
        (error: unknown) => this.#world.trace.say('ORDER', `${what}: ${String(error)}`),
      );
    });
  }

  async #heal(): Promise<void> {
    const { trace, machines, apps, checks, load, time } = this.#world;
    this.#isQuiet = true;
    trace.say('HEAL', 'everything that is not lost for ever comes back');
    for (const undo of [...this.#undo]) undo();
    const lost = new Set<string>(this.#lost);
    const { lostForEver } = this.#plan;
    if (lostForEver !== null && isDispensable(this.#world, lostForEver.node)) {
      if (!isCurable(lostForEver.how)) lost.add(lostForEver.node);
      trace.say('FAULT', `${lostForEver.how} ${lostForEver.node} for ever`);
      beginFault(this.#world, lostForEver.how, lostForEver.node, lostForEver.node);
      this.#begun.push(lostForEver.how);
    }
    for (const machine of machines.values()) {
      if (lost.has(machine.name)) continue;
      machine.powerOn();
      machine.host.resume();
      if (machine.agent === null) machine.startAgent();
    }
    for (const app of apps.values()) {
      app.powerOn();
      if (app.process === null) app.startAgent();
    }
    const healedAtMs = time.nowMs;
    const writes = () => load.committedSince(healedAtMs);
    const isHealthy = await this.#untilHealthy(healWithinMs, lost, () => writes().local > 0 && writes().replicated > 0);
    if (!isHealthy) return;
    load.stop();
    await time.run(time.nowMs + restMs, () => false);
    if (!(await this.#untilHealthy(healWithinMs, lost, () => isLevel(this.#world, lost)))) return;
    const holder = leaseHolder(this.#world);
    const primary = holder === null ? undefined : machines.get(holder)?.server;
    if (primary === undefined) return;
    const standbys = [...machines.values()].filter(({ name }) => name !== holder && !lost.has(name));
    checks.atTheEnd(
      primary,
      standbys.map(({ server }) => server),
    );
    const rows = new Set(primary.disk.records.map(({ row }) => row));
    const isCalm = lostForEver === null && this.#plan.faults.every(({ kind }) => harmless.has(kind));
    const hurt = load.rows.findIndex((row) => row.outcome === 'failed' || row.outcome === 'unknown');
    if (isCalm && hurt >= 0) {
      checks.violated('application-hurt', `row ${hurt + 1}: ${load.rows[hurt]?.because}, though nothing failed`);
    }
    this.#lostLocal = load.rows.filter((row, index) => row.outcome === 'committed' && !rows.has(index + 1)).length;
    if (isCalm && this.#lostLocal > 0) checks.violated('local-lost', `${this.#lostLocal} rows, though nothing failed`);
  }

  /** Answers whether it came about; says why not, as a violation, when it did not. */
  async #untilHealthy(withinMs: number, lost: ReadonlySet<string>, also = () => true): Promise<boolean> {
    const { time, checks } = this.#world;
    const untilMs = time.nowMs + withinMs;
    let isHealthy = false;
    while (!isHealthy && time.nowMs < untilMs && checks.violations.length === 0) {
      await time.run(time.nowMs + lookEveryMs, () => checks.violations.length > 0);
      isHealthy = whyNotHealthy(this.#world, lost) === null && also();
    }
    if (isHealthy || checks.violations.length > 0) return isHealthy;
    checks.violated(
      'not-healed',
      `after ${withinMs / 1000} s: ${whyNotHealthy(this.#world, lost) ?? 'no commit came through everywhere'}`,
    );
    return false;
  }
}

const settledByMs = 8_000;

/** Slow, and no reason for anything to fail. */
const harmless: ReadonlySet<FaultKind> = new Set<FaultKind>(['network-slow']);

async function ask(command: PlannedCommand, { backend, process }: RunningAgent): Promise<unknown> {
  const { what, to = null, paceMs = 0 } = command;
  switch (what) {
    case 'switchover':
      return await backend.switchover(
        { to, forceAfterMs: null, without: [], dryRun: false, paceMs },
        'sim',
        process.ended,
      );
    case 'cancel': {
      const operation = backend.operation();
      return operation === null ? null : await backend.cancel(operation.id, 'sim');
    }
    case 'reinit':
      return await backend.reinit('sim');
    case 'restart':
      return await backend.restart('sim');
    default:
      return what satisfies never;
  }
}
