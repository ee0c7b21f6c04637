/**
 * Carries out one plan: first anything may fail and nothing that was promised may be lost; then all but what stays lost
 * for ever is healed, and the cluster must come back to full redundancy by itself.
 */

import { defaultFailover } from '../core/declared-durability.ts';
import type { NodeName } from '../core/spec.ts';
import { rowsOf, type Violation } from './checks/checks.ts';
import { isDispensable, isLevel, leaseHolder, whyNotHealthy } from './checks/healed.ts';
import { PauseWatch } from './checks/pause-watch.ts';
import type { FaultKind } from './faults/catalogue.ts';
import { isCurable, type Plan } from './plan.ts';
import { Trouble } from './trouble.ts';
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
  #begun: readonly FaultKind[] = [];
  #lostLocal = 0;

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
    const trouble = new Trouble(this.#world);
    this.#begun = trouble.begun;
    new PauseWatch(this.#world).begin();
    trouble.begin(this.#plan);
    await time.run(time.nowMs + this.#plan.troubleMs + 2_000, () => checks.violations.length > 0);
    if (checks.violations.length > 0) return;
    const lost = this.#heal(trouble);
    if (!(await this.#comesBack(lost))) return;
    this.#judgeEnd(lost);
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

  /** Answers who stays lost for ever. */
  #heal(trouble: Trouble): ReadonlySet<NodeName> {
    const { trace, machines, apps } = this.#world;
    trace.say('HEAL', 'everything that is not lost for ever comes back');
    trouble.end();
    const lost = new Set(trouble.lost);
    const { lostForEver } = this.#plan;
    if (lostForEver !== null && isDispensable(this.#world, lostForEver.node)) {
      if (!isCurable(lostForEver.how)) lost.add(lostForEver.node);
      trouble.beginForEver(lostForEver.how, lostForEver.node);
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
    return lost;
  }

  /** To full redundancy, with commits going through, and then to rest, with everybody at the same place. */
  async #comesBack(lost: ReadonlySet<NodeName>): Promise<boolean> {
    const { load, time } = this.#world;
    const healedAtMs = time.nowMs;
    const writes = () => load.committedSince(healedAtMs);
    const isHealthy = await this.#untilHealthy(healWithinMs, lost, () => writes().local > 0 && writes().replicated > 0);
    if (!isHealthy) return false;
    load.stop();
    await time.run(time.nowMs + restMs, () => false);
    return await this.#untilHealthy(healWithinMs, lost, () => isLevel(this.#world, lost));
  }

  /** Of what is there when all is at rest. */
  #judgeEnd(lost: ReadonlySet<NodeName>): void {
    const { machines, checks, load } = this.#world;
    const holder = leaseHolder(this.#world);
    const primary = holder === null ? undefined : machines.get(holder)?.server;
    if (primary === undefined) return;
    const standbys = [...machines.values()].filter(({ name }) => name !== holder && !lost.has(name));
    checks.atTheEnd(
      primary,
      standbys.map(({ server }) => server),
    );
    const rows = rowsOf(primary);
    const isCalm = this.#plan.lostForEver === null && this.#plan.faults.every(({ kind }) => harmless.has(kind));
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

/** Slow, and no reason for anything to fail. */
const harmless: ReadonlySet<FaultKind> = new Set<FaultKind>(['network-slow']);
