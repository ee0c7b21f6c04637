/**
 * Makes attempts on a running stage that must be refused: at the agents' API, PostgreSQL, the poolers and the store.
 *
 * Prints JSON, or with `--markdown` the table of docs/refusals.md. Exit code 1 when one was not refused, or when any process
 * of the stage is another one afterwards, or the cluster is not healthy.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createAgentClient } from '../src/api/client.ts';
import { stagePorts } from '../src/stage/network.ts';
import { stageProcesses } from '../src/stage/processes.ts';
import type { StageRecord } from '../src/stage/record.ts';
import { isMain } from './main-module.ts';
import {
  type Attempt,
  agentAttempts,
  databaseAttempts,
  type Outcome,
  poolerAttempts,
  storeAttempts,
  type Target,
} from './refusal-attempts.ts';
import { makeKnockers } from './refusal-credentials.ts';
import { enrolmentAttempts } from './refusal-enrolment.ts';
import { StageUnderTest } from './stage-under-test.ts';

interface Row extends Outcome {
  readonly at: string;
  readonly what: string;
}

interface Report {
  readonly attempts: number;
  readonly refused: number;
  readonly processesAsBefore: boolean;
  readonly healthy: boolean;
  readonly rows: readonly Row[];
}

async function makeAll(stage: StageUnderTest): Promise<Report> {
  const { record } = stage;
  await stage.untilHealthy();
  const target = await targetOf(stage);
  const before = processIds(record);
  const attempts: readonly Attempt[] = [
    ...agentAttempts(target),
    ...databaseAttempts(target),
    ...poolerAttempts(target),
    ...storeAttempts(target),
    ...enrolmentAttempts(target),
  ];
  const rows: Row[] = [];
  for (const { at, make, what } of attempts) rows.push({ at, what, ...(await make()) });
  await stage.untilHealthy();
  const healthy = (await stage.status()).verdict === 'HEALTHY';
  return {
    attempts: rows.length,
    refused: rows.filter(({ refused }) => refused).length,
    processesAsBefore: processIds(record) === before,
    healthy,
    rows,
  };
}

async function targetOf(stage: StageUnderTest): Promise<Target> {
  const { record } = stage;
  const knockers = await makeKnockers(record, join(record.root, 'knockers'));
  const { primary } = await stage.status();
  const address = record.nodes.find(({ name }) => name === 'db1')?.address ?? '';
  const { cluster, domain } = record;
  const to = { cluster, node: 'db1', hostName: `db1.${domain}`, address, port: stagePorts.api };
  const client = createAgentClient({ ...to, tls: knockers.operator.credentials });
  try {
    const { revision, spec } = await client.spec();
    const passfileWith = (name: string, password: string): string => {
      const path = join(record.root, 'knockers', name);
      writeFileSync(path, `*:*:*:*:${password}\n`, { mode: 0o600 });
      return path;
    };
    const { password } = stage.application();
    const passfile = passfileWith('pgpass', password);
    const wrongPassfile = passfileWith('wrong-pgpass', `${password}x`);
    return { record, knockers, primary: primary ?? 'db1', passfile, wrongPassfile, spec, revision };
  } finally {
    client.close();
  }
}

/** PostgreSQL's and the agents' helpers come and go; these stay. */
function processIds(record: StageRecord): string {
  const lasting = ['agent', 'postmaster', 'fence', 'pgbouncer', 'store'];
  return stageProcesses(record)
    .filter(({ kind }) => lasting.includes(kind))
    .map(({ kind, node, pid }) => `${kind} ${node} ${pid}`)
    .sort()
    .join('\n');
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('<', '\\<');

function table({ rows }: Report): string {
  return [
    '| at | attempt | what came back |',
    '| --- | --- | --- |',
    ...rows.map(({ at, cameBack, what }) => `| ${at} | ${cell(what)} | ${cell(cameBack)} |`),
  ].join('\n');
}

/** Everything after the mark is the tool's. */
const mark = '<!-- by npm run refusals -- --markdown -->';
const page = new URL('../docs/refusals.md', import.meta.url).pathname;

if (isMain(import.meta.url)) {
  const report = await StageUnderTest.with({ nodes: 3, appNodes: 1 }, makeAll);
  const isSound = report.refused === report.attempts && report.processesAsBefore && report.healthy;
  if (process.argv.includes('--markdown') && existsSync(page)) {
    const head = readFileSync(page, 'utf8').split(mark)[0] ?? '';
    writeFileSync(
      page,
      `${head}${mark}\n\n${report.attempts} attempts, ${report.refused} refused.\n\n${table(report)}\n`,
    );
  } else console.log(JSON.stringify(report, null, 2));
  if (!isSound) process.exitCode = 1;
}
