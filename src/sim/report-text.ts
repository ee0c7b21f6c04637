/** What the simulator tells people: of a campaign, of one seed, of the planted bugs. */
import type { CampaignReport } from './campaign.ts';
import type { Plan } from './plan.ts';
import type { When } from './planned-fault.ts';
import type { SeedResult } from './run-seed.ts';

export interface PlantOutcome {
  readonly plant: string;
  readonly guard: string;
  readonly caught: boolean;
  /** How many seeds it took, or how many did not see it. */
  readonly seeds: number;
  readonly seed: string | null;
  /** What that seed tells; `null`: no story. */
  readonly story: string | null;
  readonly kind: string | null;
  readonly text: string | null;
  readonly tookMs: number;
}

export function campaignText(report: CampaignReport): string {
  const { finds, faults } = report;
  const kinds = Object.entries(faults).map(([kind, times]) => `${kind} ${times}`);
  return [
    `${report.seeds} seeds from ${report.from} on in ${(report.tookMs / 1000).toFixed(1)} s: ${Math.round(report.seedsPerMinute)} a minute`,
    `${report.virtualHours.toFixed(1)} h of virtual time, ${report.terms} terms, ${report.committed} commits answered, ${report.lostLocal} local ones lost with a host`,
    `${kinds.length} kinds of fault: ${kinds.join(', ')}`,
    finds.length === 0 ? 'no violation' : `${finds.length} violations:`,
    ...finds.map(({ seed, kind, text }) => `  seed ${seed}: ${kind}: ${text}`),
  ].join('\n');
}

export function seedText(result: SeedResult, showsTrace: boolean): string {
  const { plan, rows, violations } = result;
  return [
    ...planLines(plan),
    ...(showsTrace ? ['', ...result.trace, ''] : []),
    `${rows.committed} commits answered, ${rows.failed} failed, ${rows.unknown} unknown, ${result.lostLocal} local ones lost; ` +
      `${result.terms} terms in ${(result.virtualMs / 1000).toFixed(1)} s; trace ${result.traceHash}`,
    violations.length === 0 ? 'no violation' : 'violated:',
    ...violations.map(({ kind, text, atMs }) => `  ${(atMs / 1000).toFixed(3)} ${kind}: ${text}`),
  ].join('\n');
}

function planLines(plan: Plan): readonly string[] {
  const { faults, commands, durability, lostForEver } = plan;
  return [
    `seed ${plan.seed}: ${plan.databases} database nodes, ${plan.apps} app nodes with ${plan.writersEach} writers each, a row every ${plan.everyMs} ms${plan.story === null ? '' : `, story ${plan.story}`}`,
    `  k ${durability.k}, without standby: ${durability.withoutStandby}, unheard: ${durability.acceptLossAfterMs ?? 'wait'}, loss limit: ${plan.lossLimitBytes ?? 'usual'}`,
    ...faults.map(
      ({ kind, node, other, when, forMs, forEver }) =>
        `  ${whenText(when)}: ${kind} ${node} for ${Math.round(forMs)} ms${kind.endsWith('-one') ? ` (${other})` : ''}${forEver ? ', for ever' : ''}`,
    ),
    ...commands.map(
      ({ what, node, when, to }) => `  ${whenText(when)}: ${what}${to ? ` to ${to}` : ''}, asked of ${node}`,
    ),
    ...(lostForEver === null ? [] : [`  in the end for ever: ${lostForEver.how} ${lostForEver.node}`]),
  ];
}

function whenText(when: When): string {
  if ('atMs' in when) return `at ${(when.atMs / 1000).toFixed(3)} s`;
  return `${when.delayMs.toFixed(1)} ms after ${when.event} no. ${when.nth}`;
}

/** A table in Markdown: it stands in docs/planted-bugs.md. */
export function plantsText(outcomes: readonly PlantOutcome[]): string {
  const caught = outcomes.filter((outcome) => outcome.caught).length;
  return [
    '| guard taken out | rule | seen as | story | by seed |',
    '| --- | --- | --- | --- | --- |',
    ...outcomes.map(
      ({ plant, guard, kind, story, seed, seeds }) =>
        `| \`${plant}\` | ${guard} | ${kind ?? '**not caught**'} | ${story ?? ''} | ${seed ?? `none of ${seeds}`} |`,
    ),
    '',
    `${caught} of ${outcomes.length} caught`,
  ].join('\n');
}
