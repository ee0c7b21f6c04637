/**
 * What a stage costs at rest, process by process, and how long it takes from nothing to healthy.
 *
 * Prints JSON: resident and proportional memory at the end of a minute without any client, and the share of one core
 * used over that minute. PostgreSQL's processes are added up per node, since they share their memory.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { type StageProcess, stageProcesses } from '../src/stage/processes.ts';
import { median, rounded, spread } from './figures.ts';
import { machineFacts } from './machine.ts';
import { memoryOf, processorMs } from './process-cost.ts';
import { StageUnderTest } from './stage-under-test.ts';

const starts = 3;
const settleMs = 10_000;
const restMs = 60_000;

interface Cost {
  readonly what: string;
  readonly node: string;
  readonly rssMb: number;
  readonly pssMb: number;
  readonly corePercent: number;
}

function partOf({ kind }: StageProcess): string {
  return kind === 'postmaster' || kind === 'backend' ? 'postgres' : kind;
}

async function measureRest(stage: StageUnderTest): Promise<readonly Cost[]> {
  await delay(settleMs);
  const processes = stageProcesses(stage.record);
  const before = new Map(processes.map(({ pid }) => [pid, processorMs(pid)]));
  const begun = performance.now();
  await delay(restMs);
  const lastedMs = performance.now() - begun;
  const costs = new Map<string, Cost>();
  const alive = new Map(stageProcesses(stage.record).map((found) => [found.pid, found]));
  for (const found of processes) {
    if (alive.get(found.pid)?.startTicks !== found.startTicks) continue;
    const what = partOf(found);
    const key = `${what} ${found.node}`;
    const memory = memoryOf(found.pid);
    const earlier = costs.get(key);
    costs.set(key, {
      what,
      node: found.node,
      // Added up, resident memory counts shared pages again: for PostgreSQL only the largest says something.
      rssMb: Math.max(earlier?.rssMb ?? 0, memory.rssMb),
      pssMb: (earlier?.pssMb ?? 0) + memory.pssMb,
      corePercent:
        (earlier?.corePercent ?? 0) + ((processorMs(found.pid) - (before.get(found.pid) ?? 0)) / lastedMs) * 100,
    });
  }
  return [...costs.values()].sort((a, b) => `${a.what}${a.node}`.localeCompare(`${b.what}${b.node}`));
}

const upMs: number[] = [];
let rest: readonly Cost[] = [];
for (let count = 1; count <= starts; count += 1) {
  await StageUnderTest.with({ nodes: 3, appNodes: 1 }, async (stage) => {
    upMs.push(stage.upMs);
    console.error(`start ${count}: healthy after ${(stage.upMs / 1_000).toFixed(1)} s`);
    if (count === starts) rest = await measureRest(stage);
  });
}
const agents = rest.filter((cost) => cost.what === 'agent');
console.log(
  JSON.stringify(
    {
      healthyAfterMs: { ...spread(upMs), all: upMs.map((ms) => rounded(ms, 0)) },
      agent: {
        rssMb: {
          median: rounded(median(agents.map((cost) => cost.rssMb))),
          worst: rounded(Math.max(...agents.map((cost) => cost.rssMb))),
        },
        corePercent: {
          median: rounded(median(agents.map((cost) => cost.corePercent)), 2),
          worst: rounded(Math.max(...agents.map((cost) => cost.corePercent)), 2),
        },
      },
      processes: rest.map((cost) => ({
        ...cost,
        rssMb: rounded(cost.rssMb),
        pssMb: rounded(cost.pssMb),
        corePercent: rounded(cost.corePercent, 2),
      })),
      machine: await machineFacts(),
    },
    null,
    2,
  ),
);
