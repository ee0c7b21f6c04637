// Prints the Markdown table of docs/faults.md from what `npm run faults -- --logs DIRECTORY` left in faults.json.
import { readFileSync } from 'node:fs';

const [file] = process.argv.slice(2);
if (file === undefined) {
  console.error('usage: node tools/fault-table.mjs DIRECTORY/faults.json');
  process.exit(2);
}

const seconds = (ms) =>
  ms >= 10_000 ? (ms / 1000).toFixed(0) : ms >= 1000 ? (ms / 1000).toFixed(1) : (ms / 1000).toFixed(2);
const gap = ({ median, worst }) => `${seconds(median)} / ${seconds(worst)}`;

const head = [
  'scenario',
  'moved',
  'gap, local',
  'gap, replicated',
  'failed',
  'unknown',
  'local lost',
  'reported',
  'replicated lost',
  'redundant again',
];
const rows = JSON.parse(readFileSync(file, 'utf8')).map(
  ({ scenario, times, moved, local, replicated, reported, redundantMs, bad }) => [
    bad === 0 ? scenario : `${scenario} (${bad} bad)`,
    `${moved} of ${times}`,
    gap(local.gapMs),
    gap(replicated.gapMs),
    local.failed + replicated.failed,
    local.unknown + replicated.unknown,
    local.lost,
    reported,
    replicated.lost,
    gap(redundantMs),
  ],
);
for (const row of [head, head.map((_, column) => (column === 0 ? '---' : '---:')), ...rows])
  console.log(`| ${row.join(' | ')} |`);
