/**
 * A table of what goes wrong and what it costs: each scenario on a stage of its own, whose hosts have networks and disks of their own, under
 * eight writers, of whom four ask for replicated commits.
 *
 * Prints JSON. `gapMs`: the longest time without an acknowledged commit to any writer; `redundantMs`: from the end of the
 * fault until the primary streams to every standby again; `lost`: acknowledged and missing then; `forked`: rows that the nodes do
 * not agree on. Needs root. `npm run faults -- [--times 1] [--only TEXT,...] [--think MS] [--logs DIRECTORY]`:
 * with `--logs` the events and logs of every scenario are kept there.
 *
 * A scenario in which something went wrong that may not (a replicated commit lost, a refused one there, nodes that disagree, no
 * redundancy in time) is marked `bad`, with the stage's last events; then the exit code is 1.
 */
import { cpSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { nodeDirectory, type StageRecord } from '../src/stage/record.ts';
import { readFaultOptions } from './fault-options.ts';
import { type Scenario, scenarios } from './fault-scenarios.ts';
import { tableRow } from './fault-table.ts';
import { isBad, type Outcome, playOnce } from './fault-turn.ts';
import { machineFacts } from './machine.ts';
import { StageUnderTest } from './stage-under-test.ts';

const diskMb = 1_024;
const shownEvents = 60;

const options = readFaultOptions(scenarios);

interface Failure {
  readonly scenario: string;
  readonly because: string;
  readonly events: readonly string[];
}

interface Turn {
  readonly outcome?: Outcome;
  readonly failure?: Failure;
}

/** On one stage from turn to turn, as in a cluster's life; after a failure on a fresh one. */
async function playAll(scenario: Scenario): Promise<readonly Turn[]> {
  const turns: Turn[] = [];
  while (turns.length < options.times) {
    const before = turns.length;
    const keep = (record: StageRecord, events: readonly string[] = []): void => {
      const name = `${scenario.name} from ${before + 1}`.replaceAll(/\W+/g, '-');
      if (options.logs !== null) keepLogs(record, join(options.logs, name), events);
    };
    try {
      const size = { nodes: 3, appNodes: 1, namespaces: true, diskMb };
      await StageUnderTest.with({ ...size, failed: (record) => keep(record) }, async (stage) => {
        let isSound = true;
        while (isSound && turns.length < options.times) {
          const played = await playTurn(stage, scenario, turns.length + 1);
          turns.push(played);
          isSound = played.failure === undefined;
        }
        keep(stage.record, await lastEvents(stage));
      });
    } catch (error) {
      if (turns.length === before)
        turns.push(told({ failure: { scenario: scenario.name, because: textOf(error), events: [] } }, scenario));
    }
  }
  return turns;
}

async function playTurn(stage: StageUnderTest, scenario: Scenario, turn: number): Promise<Turn> {
  try {
    const outcome = await playOnce(stage, scenario, turn, options.thinkMs);
    const failure = isBad(outcome) ? { failure: await failureOf(stage, scenario.name, 'see its figures') } : {};
    return told({ outcome, ...failure }, scenario);
  } catch (error) {
    return told({ failure: await failureOf(stage, scenario.name, textOf(error)) }, scenario);
  }
}

function told(turn: Turn, { name }: Scenario): Turn {
  console.error(`${name}: ${JSON.stringify(turn.outcome ?? turn.failure?.because)}`);
  return turn;
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

async function failureOf(stage: StageUnderTest, scenario: string, because: string): Promise<Failure> {
  return { scenario, because, events: await lastEvents(stage) };
}

async function lastEvents(stage: StageUnderTest): Promise<readonly string[]> {
  const { stdout, stderr } = await stage.cli('events');
  return (stdout === '' ? stderr : stdout).trimEnd().split('\n').slice(-shownEvents);
}

/** All that everybody wrote, for whoever looks for the cause. */
function keepLogs(record: StageRecord, directory: string, events: readonly string[]): void {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'events.txt'), events.join('\n'));
  for (const node of record.nodes) {
    const from = join(nodeDirectory(record, node.name), 'log');
    if (existsSync(from)) cpSync(from, join(directory, node.name), { recursive: true });
  }
}

if (process.getuid?.() !== 0) {
  console.error('only root may make the namespaces and disks that these faults need');
  process.exit(3);
}
const rows = [];
const failures: Failure[] = [];
for (const scenario of options.chosen) {
  const turns = await playAll(scenario);
  const bad = turns.flatMap(({ failure }) => failure ?? []);
  failures.push(...bad);
  const outcomes = turns.flatMap(({ outcome }) => outcome ?? []);
  rows.push(tableRow(scenario.name, outcomes, bad.length));
  if (options.logs !== null) writeFileSync(join(options.logs, 'faults.json'), JSON.stringify(rows, null, 2));
}
console.log(JSON.stringify({ scenarios: rows, failures, machine: await machineFacts() }, null, 2));
process.exitCode = failures.length === 0 ? 0 : 1;
