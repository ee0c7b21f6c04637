/**
 * Makes a failing plan shorter while it still fails in the same way, so that somebody can read what happened.
 *
 * Greedy, largest cuts first, over and over until nothing more can be left out. Every stream of random numbers belongs
 * to one purpose (world/random.ts), so that what stays in the plan goes on as before as far as that can be.
 */
import { defaultDurability } from '../core/declared-durability.ts';
import type { Plan } from './plan.ts';

/** Answers the kind of violation that the plan leads to; `null`: none. */
export type Judge = (plan: Plan) => Promise<string | null>;

export interface Shrunk {
  readonly plan: Plan;
  readonly tried: number;
}

/** `tries` is how many plans may be run. */
export async function shrink(plan: Plan, kind: string, judge: Judge, tries: number): Promise<Shrunk> {
  let best = plan;
  let tried = 0;
  let isBetter = true;
  while (isBetter && tried < tries) {
    isBetter = false;
    for (const shorter of shorterPlans(best)) {
      if (tried >= tries) break;
      tried += 1;
      if ((await judge(shorter)) !== kind) continue;
      best = shorter;
      isBetter = true;
      break;
    }
  }
  return { plan: best, tried };
}

/** Each a little less than the plan, the largest cuts first. */
export function* shorterPlans(plan: Plan): Generator<Plan> {
  const { faults, commands } = plan;
  if (faults.length > 3) {
    const half = Math.ceil(faults.length / 2);
    yield { ...plan, faults: faults.slice(half) };
    yield { ...plan, faults: faults.slice(0, half) };
  }
  if (plan.lostForEver !== null) yield { ...plan, lostForEver: null };
  if (commands.length > 1) yield { ...plan, commands: [] };
  for (const index of faults.keys()) yield { ...plan, faults: faults.toSpliced(index, 1) };
  for (const index of commands.keys()) yield { ...plan, commands: commands.toSpliced(index, 1) };
  // A plan that nobody could have survived would say nothing.
  const spare = plan.lostForEver === null ? 0 : 1;
  if (plan.durability !== defaultDurability && plan.databases > 1 + spare)
    yield { ...plan, durability: defaultDurability };
  if (plan.writersEach > 1) yield { ...plan, writersEach: 1 };
  if (plan.everyMs < 600) yield { ...plan, everyMs: plan.everyMs * 2 };
  if (plan.apps > 1 && !uses(plan, `app${plan.apps}`)) yield { ...plan, apps: plan.apps - 1 };
  if (plan.databases > plan.durability.k + 1 + spare && !uses(plan, `db${plan.databases}`))
    yield { ...plan, databases: plan.databases - 1 };
  if (plan.troubleMs > 5_000) yield { ...plan, troubleMs: Math.round(plan.troubleMs * 0.7) };
  for (const [index, fault] of faults.entries()) {
    if (fault.forMs > 500) {
      yield { ...plan, faults: faults.with(index, { ...fault, forMs: Math.round(fault.forMs / 2) }) };
    }
  }
}

function uses(plan: Plan, node: string): boolean {
  return (
    plan.lostForEver?.node === node ||
    plan.commands.some((command) => command.node === node) ||
    plan.faults.some((fault) => fault.node === node || fault.other === node)
  );
}
