/**
 * What a person would check first on a node that misbehaves: programs and their versions, ports, files and their modes,
 * certificates, disk, clocks, limits. Reads only; changes nothing, and judges the host, not the cluster.
 */
import type { DoctorFinding } from '../api/contract/looks.ts';
import type { NodeFile } from '../config/node-file.ts';
import { checkWatchdog } from './fence.ts';
import { checkCertificate, checkDataDirectory, checkReplaceable, checkRunDirectory, checkSecret } from './files.ts';
import { checkPeerClocks } from './peer-clocks.ts';
import { checkPorts, type ExpectedPort } from './ports.ts';
import { checkPgbouncer, checkPostgres } from './programs.ts';
import { checkClockSource, checkDisk, checkOpenFiles, checkSharedMemory } from './resources.ts';
import { checkStoreMembers } from './store-members.ts';

/** What the spec may say otherwise. */
export interface NodePorts {
  readonly postgres: number;
  readonly pooler: number;
}

const usualPorts: NodePorts = { postgres: 5432, pooler: 6432 };

export async function examineNode(file: NodeFile, ports: NodePorts = usualPorts): Promise<readonly DoctorFinding[]> {
  const { directories, store, tls } = file;
  const nowMs = Date.now();
  const peers = file.databaseAgents
    .filter(({ node }) => node !== file.node)
    .map(({ node, address }) => ({ node, address, hostName: `${node}.${file.domain}`, port: file.api.port }));
  const checks = await Promise.all([
    programsOf(file),
    checkPorts(expectedPorts(file, ports)),
    [tls.key, ...(store === null ? [] : [store.key, store.passwordFile])].map(checkSecret),
    [tls.certificate, tls.ca, ...(store === null ? [] : [store.certificate])].map((path) =>
      checkCertificate(path, nowMs),
    ),
    file.role === 'database' ? [checkDataDirectory(directories.data), ...checkReplaceable(directories.data)] : [],
    checkDisk(file.role === 'database' ? directories.data : directories.state).then((finding) => [finding]),
    [checkRunDirectory(directories.run), checkOpenFiles(), checkClockSource()],
    file.role === 'database' ? checkSharedMemory().then((finding) => [finding]) : [],
    typeof file.watchdog === 'string' ? [checkWatchdog(file.watchdog)] : [],
    checkPeerClocks(peers, tls, file.role === 'app' ? '/v1/topology' : '/v1/health'),
    store === null ? [] : checkStoreMembers(store),
  ]);
  return checks.flat();
}

function programsOf({ binaries, role }: NodeFile): Promise<readonly DoctorFinding[]> {
  if (role === 'database') return checkPostgres(binaries.postgres);
  return role === 'app' ? checkPgbouncer(binaries.pgbouncer) : Promise.resolve([]);
}

function expectedPorts({ api, pooler, role }: NodeFile, ports: NodePorts): readonly ExpectedPort[] {
  const agent = { address: api.address, port: api.port, program: 'node' };
  if (role === 'database') return [agent, { address: api.address, port: ports.postgres, program: 'postgres' }];
  return role === 'app'
    ? [agent, { address: pooler.listenAddress, port: ports.pooler, program: 'pgbouncer' }]
    : [agent];
}
