/** Starts a stage's processes: store members and agents. PostgreSQL and poolers are started by the agents alone. */
import { accessSync, constants, existsSync } from 'node:fs';
import { join } from 'node:path';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { startDaemon } from '../process/daemon.ts';
import type { RunAs } from '../process/program.ts';
import { type StageProcessKind, stageProcesses } from './processes.ts';
import { nodeDirectory, type StageNode, type StageRecord } from './record.ts';

const etcdPlaces = ['/usr/bin/etcd', '/usr/local/bin/etcd', '/usr/sbin/etcd'];

/** As in packaging/understudy-agent.service: a small young generation, since the agent makes little garbage at a time. */
const agentFlags = ['--max-old-space-size=128', '--max-semi-space-size=1'];

/** Nothing of the caller's environment is needed, and it may hold secrets. */
function environment(record: StageRecord): Readonly<Record<string, string>> {
  const { name } = record.user;
  return {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: record.root,
    LANG: 'C.UTF-8',
    USER: name,
    LOGNAME: name,
  };
}

export async function launchStore(record: StageRecord, node: StageNode): Promise<void> {
  if (isRunning(record, node, 'store')) return;
  const program = etcdPlaces.find((place) => existsSync(place));
  if (program === undefined)
    throw new UnderstudyError('STAGE_FAILED', 'no etcd is installed', { hint: 'apt-get install etcd-server' });
  const home = nodeDirectory(record, node.name);
  await startDaemon(program, ['--config-file', join(home, 'etcd.yaml')], options(record, home, 'etcd.out'));
}

export async function launchAgent(record: StageRecord, node: StageNode): Promise<void> {
  if (isRunning(record, node, 'agent')) return;
  const home = nodeDirectory(record, node.name);
  const program = join(record.root, 'program', 'understudy.mjs');
  const args = [...agentFlags, program, 'agent', '--config', join(home, 'node.yaml')];
  await startDaemon(nodeBinary(), args, options(record, home, 'agent.log'));
}

function isRunning(record: StageRecord, node: StageNode, kind: StageProcessKind): boolean {
  return stageProcesses(record).some((found) => found.kind === kind && found.node === node.name);
}

function nodeBinary(): string {
  try {
    accessSync(process.execPath, constants.X_OK);
    return process.execPath;
  } catch (cause) {
    throw new UnderstudyError('STAGE_FAILED', `${process.execPath} can't be executed`, { cause });
  }
}

function options(record: StageRecord, home: string, log: string) {
  const user: RunAs | undefined = process.getuid?.() === 0 ? record.user : undefined;
  const base = { cwd: home, env: environment(record), logFile: join(home, 'log', log) };
  return user === undefined ? base : { ...base, user };
}
