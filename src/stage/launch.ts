/** Starts a stage's processes: store members and agents. PostgreSQL and poolers are started by the agents alone. */
import { accessSync, constants, existsSync } from 'node:fs';
import { join } from 'node:path';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { startDaemon } from '../process/daemon.ts';
import type { RunAs } from '../process/program.ts';
import { entrance } from './holders.ts';
import { type StageProcessKind, stageProcesses } from './processes.ts';
import { nodeDirectory, type StageHost, type StageRecord } from './record.ts';

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

export async function launchStore(record: StageRecord, node: StageHost): Promise<void> {
  if (isRunning(record, node, 'store')) return;
  const program = etcdPlaces.find((place) => existsSync(place));
  if (program === undefined)
    throw new UnderstudyError('STAGE_FAILED', 'no etcd is installed', { hint: 'apt-get install etcd-server' });
  const home = nodeDirectory(record, node.name);
  await launch(record, node, [program, '--config-file', join(home, 'etcd.yaml')], 'etcd.out');
}

export async function launchAgent(record: StageRecord, node: StageHost): Promise<void> {
  if (isRunning(record, node, 'agent')) return;
  const home = nodeDirectory(record, node.name);
  const program = join(record.root, 'program', 'understudy.mjs');
  const command = [nodeBinary(), ...agentFlags, program, 'agent', '--config', join(home, 'node.yaml')];
  await launch(record, node, command, 'agent.log');
}

function isRunning(record: StageRecord, node: StageHost, kind: StageProcessKind): boolean {
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

/** As the stage's account, and in the host's namespaces when it has any: nsenter(1) becomes the program itself. */
async function launch(record: StageRecord, host: StageHost, command: readonly string[], log: string): Promise<void> {
  const home = nodeDirectory(record, host.name);
  const base = { cwd: home, env: environment(record), logFile: join(home, 'log', log) };
  const user: RunAs | undefined = process.getuid?.() === 0 ? record.user : undefined;
  const inside = entrance(record, host.name);
  if (inside !== null) {
    const account = [`--setgid=${record.user.gid}`, `--setuid=${record.user.uid}`];
    await startDaemon('nsenter', [...inside, ...account, '--', ...command], base);
    return;
  }
  const [program = '', ...args] = command;
  await startDaemon(program, args, user === undefined ? base : { ...base, user });
}
