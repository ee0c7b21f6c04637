/**
 * Writes a stage node's files: the same layout and the same node file as on a server, with its directories moved.
 */

import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, existsSync, lchownSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { renderNodeFile } from '../config/load-node-file.ts';
import type { NodeFile } from '../config/node-file.ts';
import { type EtcdMember, etcdConfiguration } from '../etcd/server-configuration.ts';
import type { Authority } from '../pki/authority.ts';
import type { CredentialFiles } from '../pki/credential-files.ts';
import { memberListFile } from '../pki/member-list.ts';
import {
  certificatesOf,
  writeMemberCertificate,
  writeNodeCertificates,
  writePersonCertificate,
} from './certificates.ts';
import { stagePorts } from './network.ts';
import {
  applicationFiles,
  contextFile,
  dataDirectory,
  nodeDirectory,
  outside,
  runDirectory,
  type StageHost,
  type StageNode,
  type StagePerson,
  type StageRecord,
  stagePeople,
  storeHosts,
} from './record.ts';
import { stageRootList } from './stage-authority.ts';

/** Directories are made for the stage's account; existing ones are left as they are. */
export function makeDirectory(record: StageRecord, path: string, mode: number): void {
  if (existsSync(path)) return;
  mkdirSync(path, { recursive: true });
  chmodSync(path, mode);
  own(record, path);
}

function own(record: StageRecord, path: string): void {
  if (process.getuid?.() === 0) chownSync(path, record.user.uid, record.user.gid);
}

export function writeOwned(record: StageRecord, path: string, text: string, mode: number): void {
  writeFileSync(path, text, { mode });
  chmodSync(path, mode);
  if (process.getuid?.() === 0) lchownSync(path, record.user.uid, record.user.gid);
}

/** A random password kept in a file of its own. */
function passwordIn(record: StageRecord, path: string): string {
  if (!existsSync(path)) writeOwned(record, path, `${randomBytes(24).toString('hex')}\n`, 0o600);
  return readFileSync(path, 'utf8').trim();
}

export function storeRootPassword(record: StageRecord): string {
  return passwordIn(record, join(record.root, 'ca', 'store-root-password'));
}

export function storeUser(record: StageRecord, node: StageNode): { readonly name: string; readonly password: string } {
  const password = passwordIn(record, join(nodeDirectory(record, node.name), 'tls', 'store-password'));
  return { name: `${record.cluster}-${node.name}`, password };
}

/** Everything that a node's agent needs; idempotent. */
export async function writeNodeFiles(record: StageRecord, node: StageNode, authority: Authority): Promise<void> {
  const home = nodeDirectory(record, node.name);
  for (const part of ['', 'log', 'tls']) makeDirectory(record, join(home, part), 0o750);
  makeDirectory(record, join(home, 'state'), 0o700);
  makeDirectory(record, runDirectory(record, node.name), 0o755);
  await writeNodeCertificates(record, node, authority);
  writeOwned(record, join(home, 'node.yaml'), renderNodeFile(nodeFile(record, node)), 0o640);
}

function nodeFile(record: StageRecord, node: StageNode): NodeFile {
  const home = nodeDirectory(record, node.name);
  const { node: tls, sealing, storeClient, storeServer } = certificatesOf(record, node.name);
  return {
    cluster: record.cluster,
    domain: record.domain,
    node: node.name,
    role: node.role,
    api: { address: node.address, port: stagePorts.api },
    directories: {
      data: dataDirectory(record, node.name),
      run: runDirectory(record, node.name),
      log: join(home, 'log'),
      state: join(home, 'state'),
      apps: applicationFiles(record, node.name),
      certificates: join(home, 'certificates'),
    },
    tls: { ...tls, sealing: pairOf(sealing) },
    store:
      node.role === 'app'
        ? null
        : {
            endpoints: storeHosts(record).map((member) => `https://${member.address}:${stagePorts.storeClient}`),
            ...storeClient,
            user: storeUser(record, node).name,
            passwordFile: join(home, 'tls', 'store-password'),
            ...(record.storeMembers.includes(node.name) ? { server: pairOf(storeServer) } : {}),
          },
    databaseAgents: record.nodes
      .filter((other) => other.role === 'database')
      .map(({ name, address }) => ({ node: name, address })),
    binaries: { postgres: null, pgbouncer: null },
    // Who made the stage is the host of its applications, and has an address of its own where hosts have networks.
    pooler: { listenAddress: node.address, plainFrom: record.namespaces ? [`${outside(record)}/32`] : [] },
  };
}

function pairOf({ certificate, key }: CredentialFiles) {
  return { certificate, key };
}

/** One etcd member, beside the database node of the same name or on a host of its own. */
export async function writeStoreMember(record: StageRecord, node: StageHost, authority: Authority): Promise<void> {
  const home = nodeDirectory(record, node.name);
  for (const part of ['', 'log', 'tls']) makeDirectory(record, join(home, part), 0o750);
  await writeMemberCertificate(record, node, authority);
  makeDirectory(record, join(home, 'etcd'), 0o700);
  const list = memberListFile(certificatesOf(record, node.name).storeServer);
  if (!existsSync(list)) writeOwned(record, list, stageRootList(record), 0o644);
  const members = storeHosts(record).map((other) => memberOf(record, other));
  const text = etcdConfiguration(memberOf(record, node), members, `understudy-${record.cluster}-${record.network}`);
  writeOwned(record, join(home, 'etcd.yaml'), text, 0o640);
}

function memberOf(record: StageRecord, node: StageHost): EtcdMember {
  const home = nodeDirectory(record, node.name);
  return {
    name: node.name,
    address: node.address,
    clientPort: stagePorts.storeClient,
    peerPort: stagePorts.storePeer,
    dataDirectory: join(home, 'etcd'),
    logFile: join(home, 'log', 'etcd.log'),
    tls: certificatesOf(record, node.name).storeServer,
    // On a host of its own nobody would keep it up to date.
    revocations: hasAgent(record, node) ? memberListFile(certificatesOf(record, node.name).storeServer) : null,
  };
}

function hasAgent(record: StageRecord, { name }: StageHost): boolean {
  return record.nodes.some((node) => node.name === name && node.role !== 'app');
}

/** Everybody's certificate, and where the agents are: what the command line needs. */
export async function writePeople(record: StageRecord, authority: Authority): Promise<void> {
  for (const person of stagePeople) await writePerson(record, authority, person);
}

async function writePerson(record: StageRecord, authority: Authority, person: StagePerson): Promise<void> {
  const files = await writePersonCertificate(record, person, authority);
  const agents = record.nodes.map(({ name, role, address }) => ({ node: name, role, address, port: stagePorts.api }));
  const apps = record.nodes
    .filter((node) => node.role === 'app')
    .map((node) => ({
      node: node.name,
      address: node.address,
      files: applicationFiles(record, node.name),
    }));
  const context = { cluster: record.cluster, domain: record.domain, agents, tls: files, apps };
  writeFileSync(contextFile(record, person), `${JSON.stringify(context, null, 2)}\n`, { mode: 0o600 });
}
