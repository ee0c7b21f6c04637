/**
 * The simulator's command line: `npm run sim -- …`.
 *
 * Composes the crew, the campaign and what is printed. Exit code 0: nothing was violated (or, with a plant, the plant
 * was caught); 1: something was (or a plant got away); 2: wrong usage.
 */
import { Command, InvalidArgumentError, Option } from 'commander';
import { parseDuration } from '../config/units.ts';
import { type CampaignReport, runCampaign } from './campaign.ts';
import { Crew } from './crew.ts';
import { type Plan, planOf } from './plan.ts';
import { findPlant, type Plant, plants } from './planted.ts';
import { campaignText, type PlantOutcome, plantsText, seedText } from './report-text.ts';
import type { SeedResult } from './run-seed.ts';
import { shrink } from './shrink.ts';
import { findStory, stories } from './stories/catalogue.ts';
import type { Story } from './stories/story.ts';

const plantSeeds = 2_000;
const shrinkTries = 400;
const progressEveryMs = 10_000;

interface Options {
  readonly seed?: string;
  readonly seeds?: number;
  readonly for?: number;
  readonly from: number;
  readonly plant?: Plant;
  readonly story?: Story;
  readonly plants?: true;
  readonly trace?: true;
  readonly shrink?: true;
  readonly workers?: number;
  readonly json?: true;
}

const command = new Command('npm run sim --')
  .description(
    'Runs whole clusters of the real agents on a virtual clock, and lets anything fail. One seed, one world.',
  )
  .option('--seed <n>', 'run this one seed, and show what happened')
  .option('--seeds <n>', 'run so many seeds', count)
  .addOption(new Option('--for <time>', 'run seeds for so long, such as 90s, 10m, 2h').argParser(time))
  .option('--from <n>', 'the first seed', count, 1)
  .option('--plant <name>', 'take out this guard first; the seeds must catch it', named)
  .option('--plants', 'take out each guard in turn')
  .option('--story <name>', 'every seed tells this story', toldOf)
  .option('--trace', 'with --seed: print every event, also when nothing was violated')
  .option('--shrink', 'with --seed: make a failing plan as short as possible')
  .option('--workers <n>', 'how many run at once (default: one a core)', count)
  .option('--json', 'print JSON')
  .addHelpText(
    'after',
    `\nWithout --seed, --seeds and --for, 500 seeds are run; a plant is given at most ${plantSeeds}.\nGuards that can be taken out:\n${plants.map(({ name, guard }) => `  ${name.padEnd(34)} ${guard}`).join('\n')}`,
  )
  .showHelpAfterError('(--help shows what there is)')
  .exitOverride((error) => {
    process.exit(error.exitCode === 0 ? 0 : 2);
  })
  .parse();

const options = command.opts<Options>();
process.exitCode = (await carryOut()) ? 0 : 1;

/** Answers whether all is as it should be. */
async function carryOut(): Promise<boolean> {
  if (options.plants === true) return await tryPlants(plants);
  if (options.seed !== undefined) return await withCrew(options.plant ?? null, async (crew) => await showSeed(crew));
  if (options.plant !== undefined) return await tryPlants([options.plant]);
  return await withCrew(null, async (crew) => await campaign(crew));
}

async function withCrew<T>(plant: Plant | null, run: (crew: Crew) => Promise<T>): Promise<T> {
  const crew = await Crew.hire(plant, options.workers);
  const dismiss = (): void => {
    void crew.dismiss().finally(() => process.exit(130));
  };
  process.once('SIGINT', dismiss).once('SIGTERM', dismiss);
  try {
    return await run(crew);
  } finally {
    process.off('SIGINT', dismiss).off('SIGTERM', dismiss);
    await crew.dismiss();
  }
}

async function campaign(crew: Crew): Promise<boolean> {
  const begunAtMs = performance.now();
  let saidAtMs = begunAtMs;
  const untilMs = options.for === undefined ? Number.POSITIVE_INFINITY : begunAtMs + options.for;
  const most = options.seeds ?? (options.for === undefined ? 500 : Number.POSITIVE_INFINITY);
  const report: CampaignReport = await runCampaign(crew, {
    from: options.from,
    ...told(),
    goesOn: (begun) => begun < most && performance.now() < untilMs,
    onSeed: (result, done) => {
      const [first] = result.violations;
      if (first !== undefined) say(`seed ${result.plan.seed}: ${first.kind}: ${first.text}`);
      if (performance.now() - saidAtMs < progressEveryMs) return;
      saidAtMs = performance.now();
      say(`${done} seeds, ${Math.round((done / (saidAtMs - begunAtMs)) * 60_000)} a minute`);
    },
  });
  print(options.json === true ? JSON.stringify(report) : campaignText(report));
  return report.finds.length === 0;
}

async function showSeed(crew: Crew): Promise<boolean> {
  let plan: Plan = planOf(options.seed ?? '1', options.story);
  let result: SeedResult = await crew.run(plan, true);
  const kind = result.violations[0]?.kind;
  if (options.shrink === true && kind !== undefined) {
    const judge = async (shorter: Plan) => (await crew.run(shorter)).violations[0]?.kind ?? null;
    const shrunk = await shrink(plan, kind, judge, shrinkTries);
    say(`${shrunk.tried} shorter plans were tried`);
    plan = shrunk.plan;
    result = await crew.run(plan, true);
  }
  const showsTrace = options.trace === true || kind !== undefined;
  print(options.json === true ? JSON.stringify(result) : seedText(result, showsTrace));
  return options.plant === undefined ? kind === undefined : kind !== undefined;
}

async function tryPlants(chosen: readonly Plant[]): Promise<boolean> {
  const outcomes: PlantOutcome[] = [];
  const most = options.seeds ?? plantSeeds;
  for (const plant of chosen) {
    const report = await withCrew(
      plant,
      async (crew) =>
        await runCampaign(crew, {
          from: options.from,
          ...told(),
          goesOn: (begun, finds) => begun < most && finds === 0,
        }),
    );
    const [find] = report.finds;
    outcomes.push({
      plant: plant.name,
      guard: plant.guard,
      caught: find !== undefined,
      seeds: find === undefined ? report.seeds : Number(find.seed) - options.from + 1,
      seed: find?.seed ?? null,
      story: find === undefined ? null : planOf(find.seed, options.story).story,
      kind: find?.kind ?? null,
      text: find?.text ?? null,
      tookMs: Math.round(report.tookMs),
    });
    say(
      `${plant.name}: ${find === undefined ? `NOT caught by ${report.seeds} seeds` : `${find.kind}, seed ${find.seed}`}`,
    );
  }
  print(options.json === true ? JSON.stringify(outcomes) : plantsText(outcomes));
  return outcomes.every(({ caught }) => caught);
}

function told(): { readonly story?: Story } {
  return options.story === undefined ? {} : { story: options.story };
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

function count(value: string): number {
  if (!/^[1-9]\d{0,8}$/.test(value)) throw new InvalidArgumentError('A whole number from 1 on is needed.');
  return Number(value);
}

function time(value: string): number {
  const ms = parseDuration(value);
  if (ms === undefined || ms <= 0) throw new InvalidArgumentError('A time is needed, such as 90s, 10m or 2h.');
  return ms;
}

function toldOf(value: string): Story {
  const story = findStory(value);
  if (story === undefined)
    throw new InvalidArgumentError(`No story has this name. There are: ${stories.map(({ name }) => name).join(', ')}.`);
  return story;
}

function named(value: string): Plant {
  const plant = findPlant(value);
  if (plant === undefined) throw new InvalidArgumentError('No guard has this name; --help lists them.');
  return plant;
}
