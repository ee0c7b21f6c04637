/**
 * `npm run fuzz -- [--seed TEXT] [--count N] [--surface api|spec|store] [--from N]`: throws inputs at an agent's API, at the
 * loader of cluster files and at the schemas of everything in the store.
 *
 * Prints JSON: what was thrown in, what came back, what may not happen with its input, and what it cost in memory. Exit code 1
 * when something may not happen: a throw, an answer that is an error of the server's own, no answer, a promise that nobody
 * caught, an audit log that is not intact, memory that grows. `--surface S --from N --count 1` plays one input again.
 */
import { parseArgs } from 'node:util';
import { limitedTrail } from '../../src/audit/trail.ts';
import { createLinuxClock } from '../../src/timing/linux-clock.ts';
import { issueCallers, startApi } from '../fixtures/api-world.ts';
import { auditPlace, linesOf, readChain } from '../fixtures/audit-log.ts';
import type { Span, Tally } from './account.ts';
import { fuzzRequests } from './requests.ts';
import { fuzzDeclarations, fuzzStoreValues } from './texts.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    count: { type: 'string', default: '120000' },
    surface: { type: 'string' },
    from: { type: 'string', default: '0' },
  },
});
/** Of all inputs. */
const shares = { api: 0.4, spec: 0.2, store: 0.4 } as const;
const mostGrowthMb = 40;

const unexpected: string[] = [];
process.on('unhandledRejection', (reason) => unexpected.push(`nobody caught: ${String(reason)}`));
process.on('uncaughtException', (error) => unexpected.push(`nobody caught: ${error.stack ?? error.message}`));

function spanOf(surface: keyof typeof shares): Span {
  const all = Number(values.count);
  const isAlone = values.surface === surface;
  const count = isAlone ? all : values.surface === undefined ? Math.ceil(all * shares[surface]) : 0;
  return { seed: values.seed, from: Number(values.from), count };
}

interface Memory {
  readonly heldMb: number;
  readonly residentMb: number;
}

/** What is held is what could not be collected; how much the process keeps beside it is Node's to say. */
function memory(): Memory {
  globalThis.gc?.();
  const { heapUsed, external, rss } = process.memoryUsage();
  const mb = (bytes: number): number => Math.round(bytes / 1024 / 1024);
  return { heldMb: mb(heapUsed + external), residentMb: mb(rss) };
}

async function throwAtApi(): Promise<{
  readonly tally: Tally;
  readonly auditLines: number;
  readonly auditFindings: number;
}> {
  const place = auditPlace('pg0');
  const log = place.open();
  const ended = new AbortController();
  const trail = limitedTrail(log, createLinuxClock(), ended.signal);
  const callers = await issueCallers();
  const world = await startApi(callers, { audit: trail });
  try {
    const tally = await fuzzRequests(world, callers, spanOf('api'));
    ended.abort();
    trail.close();
    await log.close();
    const reading = readChain(linesOf(place.files()));
    return { tally, auditLines: reading.lines, auditFindings: reading.findings.length };
  } finally {
    await world.close();
    place.remove();
  }
}

const begunAtMs = performance.now();
const warm: Span = { seed: 'warm', from: 0, count: 200 };
fuzzDeclarations(warm);
fuzzStoreValues(warm);
const before = memory();
const texts = [fuzzDeclarations(spanOf('spec')), fuzzStoreValues(spanOf('store'))];
const api = await throwAtApi();
const after = memory();
const tallies = [api.tally, ...texts];
const inputs = tallies.reduce((sum, tally) => sum + tally.inputs, 0);
const faults = tallies.flatMap((tally) => tally.faults);
const isSound =
  faults.length === 0 &&
  unexpected.length === 0 &&
  api.auditFindings === 0 &&
  after.heldMb - before.heldMb < mostGrowthMb;
const surfaces = Object.fromEntries(
  tallies.map(({ answers, inputs: thrown, surface }) => [surface, { inputs: thrown, answers }]),
);
console.log(
  JSON.stringify(
    {
      seed: values.seed,
      inputs,
      sound: isSound,
      surfaces,
      faults,
      unexpected,
      memory: { before, after },
      audit: { lines: api.auditLines, findings: api.auditFindings },
      seconds: Math.round((performance.now() - begunAtMs) / 1_000),
    },
    null,
    2,
  ),
);
process.exitCode = isSound ? 0 : 1;
