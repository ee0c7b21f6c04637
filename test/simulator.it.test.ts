/**
 * The simulator holds the agents to what they promise, and is itself held to what makes it worth something: the same
 * seed is the same world, every guard that is taken out is noticed, and a failing plan becomes shorter and still fails.
 */
import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { type CampaignReport, runCampaign } from '../src/sim/campaign.ts';
import { Crew } from '../src/sim/crew.ts';
import { faultKinds } from '../src/sim/faults/catalogue.ts';
import { type Plan, planOf } from '../src/sim/plan.ts';
import { findPlant, type Plant, plants } from '../src/sim/planted.ts';
import { campaignText } from '../src/sim/report-text.ts';
import { shrink } from '../src/sim/shrink.ts';

/** `npm run sim` plays as many as there is time for. */
const seeds = process.env.TEST_LONG === '1' ? 2_000 : 400;
const plantSeeds = 2_000;
const atOnce = 8;
const crews = new Set<Crew>();

afterAll(async () => {
  for (const crew of crews) await crew.dismiss();
});

async function withCrew<T>(plant: Plant | null, work: (crew: Crew) => Promise<T>): Promise<T> {
  const crew = await Crew.hire(plant);
  crews.add(crew);
  try {
    return await work(crew);
  } finally {
    crews.delete(crew);
    await crew.dismiss();
  }
}

interface Known {
  /** What caught the guard's absence when the table was written; `null`: nothing has yet. */
  readonly seed: string | null;
  /** The story that this seed tells; empty: none. */
  readonly story: string;
}

function knownSeeds(): ReadonlyMap<string, Known> {
  const table = readFileSync(new URL('../docs/planted-bugs.md', import.meta.url), 'utf8');
  const rows = table.matchAll(/^\| `([a-z-]+)` \|.*\| ?([a-z-]*) ?\| (?:(\d+)|none of \d+) \|$/gm);
  return new Map([...rows].map(([, name = '', story = '', seed]) => [name, { seed: seed ?? null, story }]));
}

/** The code has moved since the table was written, and with it what each seed leads to: those of its story come first. */
async function isCaught(crew: Crew, { seed, story }: Known): Promise<boolean> {
  if (seed !== null && (await crew.run(planOf(seed))).violations.length > 0) return true;
  const all = Array.from({ length: plantSeeds }, (_, index) => String(index + 1));
  const telling = story === '' ? [] : all.filter((one) => planOf(one).story === story);
  for (let from = 0; from < telling.length; from += atOnce) {
    const results = await Promise.all(
      telling.slice(from, from + atOnce).map(async (one) => await crew.run(planOf(one))),
    );
    if (results.some(({ violations }) => violations.length > 0)) return true;
  }
  const goesOn = (begun: number, finds: number): boolean => begun < plantSeeds && finds === 0;
  return (await runCampaign(crew, { from: 1, goesOn })).finds.length > 0;
}

describe('the simulator', () => {
  it(`sees nothing violated in ${seeds} worlds, in which every kind of fault came`, { timeout: 900_000 }, async () => {
    const report: CampaignReport = await withCrew(null, async (crew) => {
      return await runCampaign(crew, { from: 1, goesOn: (begun, finds) => begun < seeds && finds === 0 });
    });
    console.log(campaignText(report));
    expect(report.finds).toEqual([]);
    expect(Object.keys(report.faults).toSorted()).toEqual(faultKinds.toSorted());
    expect(report.committed).toBeGreaterThan(100 * seeds);
    expect(report.terms).toBeGreaterThan(1.2 * seeds);
  });

  it('makes the same world of the same seed, in whatever order seeds are run', async () => {
    const hashes = async (order: readonly string[]): Promise<ReadonlyMap<string, string>> =>
      await withCrew(null, async (crew) => {
        const results = await Promise.all(order.map(async (seed) => await crew.run(planOf(seed))));
        return new Map(results.map(({ plan, traceHash }) => [plan.seed, traceHash]));
      });
    const order = Array.from({ length: 12 }, (_, index) => String(index + 1));
    const there = await hashes(order);
    const back = await hashes(order.toReversed());
    expect(new Set(there.values()).size).toBe(order.length);
    for (const seed of order) expect(back.get(seed), `seed ${seed}`).toBe(there.get(seed));
  });

  it('makes a failing plan shorter, and it still fails in the same way', { timeout: 300_000 }, async () => {
    const plant = findPlant('takeover-waits');
    if (plant === undefined) throw new Error('the plant is gone');
    await withCrew(plant, async (crew) => {
      const report = await runCampaign(crew, { from: 1, goesOn: (begun, finds) => begun < plantSeeds && finds === 0 });
      const [find] = report.finds;
      if (find === undefined) throw new Error('nothing was found');
      const plan = planOf(find.seed);
      const judge = async (shorter: Plan) => (await crew.run(shorter)).violations[0]?.kind ?? null;
      const shrunk = await shrink(plan, find.kind, judge, 150);
      expect(await judge(shrunk.plan)).toBe(find.kind);
      expect(sizeOf(shrunk.plan)).toBeLessThan(sizeOf(plan));
      expect(shrunk.plan.faults.length).toBeLessThanOrEqual(2);
    });
  });
});

function sizeOf(plan: Plan): number {
  return plan.faults.length + plan.commands.length + plan.databases + plan.apps + plan.writersEach;
}

describe('a guard that is taken out is noticed', () => {
  const known = knownSeeds();

  it('and stands in the table', () => {
    expect([...known.keys()].toSorted()).toEqual(plants.map(({ name }) => name).toSorted());
    expect([...known.values()].filter(({ seed }) => seed !== null).length).toBeGreaterThanOrEqual(38);
  });

  for (const plant of plants) {
    const guard = known.get(plant.name);
    if (guard === undefined || guard.seed === null) continue;
    it(`${plant.name}: ${plant.guard}`, { timeout: 900_000 }, async () => {
      await withCrew(plant, async (crew) => {
        expect(await isCaught(crew, guard), `not caught by ${plantSeeds} seeds`).toBe(true);
      });
    });
  }
});
