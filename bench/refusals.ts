/**
 * Makes attempts on a running stage that must be refused: at the agents' API, PostgreSQL, the poolers and the store.
 *
 * Prints JSON, or with `--markdown` the table of docs/refusals.md. Exit code 1 when one was not refused, or for another reason than it is
 * made for, when what must be let in was not, or when any process
 * of the stage is another one afterwards, or the cluster is not healthy.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createAgentClient } from '../src/api/client.ts';
import { combinedFiles, readCredentials } from '../src/pki/credential-files.ts';
import { stagePorts } from '../src/stage/network.ts';
import { stageProcesses } from '../src/stage/processes.ts';
import { nodeDirectory, type StageRecord } from '../src/stage/record.ts';
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
import { type Knocker, makeKnockers } from './refusal-credentials.ts';
import { enrolmentAttempts } from './refusal-enrolment.ts';
import { StageUnderTest } from './stage-under-test.ts';

interface Row extends Outcome {
  readonly at: string;
  readonly what: string;
}

interface Report {
  readonly attempts: number;
  readonly refused: number;
  /** Attempts that had to be let in, and those that were not, or that were refused for something else. */
  readonly controls: number;
  readonly unexpected: readonly Row[];
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
  const unexpected: Row[] = [];
  for (const { at, expected, isControl = false, make, what } of attempts) {
    const row = { at, what, ...(await make()) };
    if (!isControl) rows.push(row);
    if (row.refused === isControl || expected?.test(row.cameBack) === false) unexpected.push(row);
  }
  await stage.untilHealthy();
  const healthy = (await stage.status()).verdict === 'HEALTHY';
  return {
    attempts: rows.length,
    refused: rows.filter(({ refused }) => refused).length,
    controls: attempts.length - rows.length,
    unexpected,
    processesAsBefore: processIds(record) === before,
    healthy,
    rows,
  };
}

async function targetOf(stage: StageUnderTest): Promise<Target> {
  const { record } = stage;
  const knockers = {
    ...(await makeKnockers(record, join(record.root, 'knockers'))),
    revokedOperator: await revokedOperator(stage),
  };
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
    const applicationLogin = loginIn(record, passfileWith);
    const target = { record, knockers, primary: primary ?? 'db1', passfile, wrongPassfile, applicationLogin };
    return { ...target, spec, revision };
  } finally {
    client.close();
  }
}

/** An operator whose certificate the cluster made, and then revoked. Throws when it was not good before. */
async function revokedOperator(stage: StageUnderTest): Promise<Knocker> {
  const directory = join(stage.record.root, 'knockers', 'rita');
  const steps = [
    ['operator', 'add', 'rita', '--out', directory],
    ['--context', join(directory, 'context.json'), 'status'],
    ['certificates', 'revoke', '--operator', 'rita', '--yes'],
  ];
  for (const step of steps) {
    const { code, stderr } = await stage.cli(...step);
    if (code !== 0) throw new Error(`${step.join(' ')}: ${stderr}`);
  }
  const files = combinedFiles(directory, 'rita');
  return { files, credentials: await readCredentials(files) };
}

/** Nobody but root and the pooler's user can read it. */
function loginIn(
  record: StageRecord,
  passfileWith: (name: string, password: string) => string,
): Target['applicationLogin'] {
  const file = join(nodeDirectory(record, 'app1'), 'state', 'pgbouncer', 'userlist.txt');
  const [, user = '', password = ''] = /^"(shop@[^"]+)" "([^"]+)"$/m.exec(readFileSync(file, 'utf8')) ?? [];
  const resting = user.replace(/[12]$/, (which) => (which === '1' ? '2' : '1'));
  return { user, passfile: passfileWith('login-pgpass', password), resting };
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
  const isSound =
    report.refused === report.attempts && report.unexpected.length === 0 && report.processesAsBefore && report.healthy;
  if (process.argv.includes('--markdown') && existsSync(page)) {
    const head = readFileSync(page, 'utf8').split(mark)[0] ?? '';
    writeFileSync(
      page,
      `${head}${mark}\n\n${report.attempts} attempts, ${report.refused} refused.\n\n${table(report)}\n`,
    );
  } else console.log(JSON.stringify(report, null, 2));
  if (!isSound) process.exitCode = 1;
}
