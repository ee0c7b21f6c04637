import { planOf } from './plan.ts';
import { runSeed } from './run-seed.ts';

const seed = process.argv[2] ?? '1';
const plan = planOf(seed);
console.log(JSON.stringify(plan, null, 1));
const begun = performance.now();
const result = await runSeed(plan, true);
console.log(result.trace.join('\n'));
console.log(
  result.violations,
  result.traceHash,
  result.rows,
  result.lostLocal,
  result.events,
  result.virtualMs,
  performance.now() - begun,
);
