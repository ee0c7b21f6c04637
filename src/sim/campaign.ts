/**
 * Many seeds, one after the other, on all cores: what was tried, and what was found.
 *
 * Invariant: seeds begin in the order of their numbers, so that "caught after n seeds" means the same on every machine.
 */
import type { Crew } from './crew.ts';
import type { FaultKind } from './faults/catalogue.ts';
import { planOf } from './plan.ts';
import type { SeedResult } from './run-seed.ts';
import type { Story } from './stories/story.ts';

export interface Find {
  readonly seed: string;
  readonly kind: string;
  readonly text: string;
}

export interface CampaignReport {
  readonly seeds: number;
  readonly from: number;
  readonly tookMs: number;
  readonly seedsPerMinute: number;
  readonly virtualHours: number;
  readonly finds: readonly Find[];
  /** How often each kind of fault began. */
  readonly faults: Readonly<Partial<Record<FaultKind, number>>>;
  readonly terms: number;
  readonly committed: number;
  readonly lostLocal: number;
}

export interface CampaignOptions {
  readonly from: number;
  /** Every seed tells it; left out: what the seed draws. */
  readonly story?: Story;
  /** Ends the campaign when it answers `false`; asked before each seed with how many began. */
  readonly goesOn: (begun: number, finds: number) => boolean;
  readonly onSeed?: (result: SeedResult, done: number) => void;
}

export async function runCampaign(crew: Crew, options: CampaignOptions): Promise<CampaignReport> {
  const begunAtMs = performance.now();
  const finds: Find[] = [];
  const faults = new Map<FaultKind, number>();
  const sums = { virtualMs: 0, terms: 0, committed: 0, lostLocal: 0 };
  let begun = 0;
  let done = 0;
  const add = (result: SeedResult): void => {
    done += 1;
    const [first] = result.violations;
    if (first !== undefined) finds.push({ seed: result.plan.seed, kind: first.kind, text: first.text });
    for (const kind of result.begun) faults.set(kind, (faults.get(kind) ?? 0) + 1);
    sums.virtualMs += result.virtualMs;
    sums.terms += result.terms;
    sums.committed += result.rows.committed;
    sums.lostLocal += result.lostLocal;
    options.onSeed?.(result, done);
  };
  const work = async (): Promise<void> => {
    while (options.goesOn(begun, finds.length)) {
      const seed = String(options.from + begun);
      begun += 1;
      try {
        add(await crew.run(planOf(seed, options.story)));
      } catch (error) {
        finds.push({ seed, kind: 'broken', text: error instanceof Error ? error.message : String(error) });
      }
    }
  };
  await Promise.all(Array.from({ length: crew.size }, work));
  const tookMs = performance.now() - begunAtMs;
  return {
    seeds: begun,
    from: options.from,
    tookMs,
    seedsPerMinute: (begun / tookMs) * 60_000,
    virtualHours: sums.virtualMs / 3_600_000,
    finds: finds.toSorted((a, b) => Number(a.seed) - Number(b.seed)),
    faults: Object.fromEntries([...faults].toSorted(([, a], [, b]) => b - a)),
    terms: sums.terms,
    committed: sums.committed,
    lostLocal: sums.lostLocal,
  };
}
