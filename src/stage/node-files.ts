/**
 * Writes a stage node's files: the same layout and the same node file as on a server, with its directories moved.
 */

import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, existsSync, lchownSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { renderNodeFile } from '../config/load-node-file.ts';
import type { NodeFile } from '../config/node-file.ts';
import { type EtcdMember, etcdConfiguration } from '../etcd/server-configuration.ts';
import { type Authority, createAuthority } from '../pki/authority.ts';
import { credentialFiles, writeCredentials } from '../pki/credential-files.ts';
import { issue } from '../pki/issue.ts';
import { stagePorts } from './network.ts';
import {
  contextFile,
  dataDirectory,
  nodeDirectory,
  runDirectory,
  type StageHost,
  type StageNode,
  type StageRecord,
  storeHosts,
} from './record.ts';

const certificateDays = 365;

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

/** The authority's key stays with whoever made the stage. */
export async function stageAuthority(record: StageRecord): Promise<Authority> {
  const directory = join(record.root, 'ca');
  const [certificate, key] = [join(directory, 'ca.crt'), join(directory, 'ca.key')];
  if (existsSync(key)) return { certificatePem: readFileSync(certificate, 'utf8'), keyPem: readFileSync(key, 'utf8') };
  const authority = await createAuthority({ cluster: record.cluster, days: 3_650 });
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  writeFileSync(certificate, authority.certificatePem, { mode: 0o644 });
  writeFileSync(key, authority.keyPem, { mode: 0o600 });
  return authority;
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
  const owner = process.getuid?.() === 0 ? record.user : null;
  const tls = credentialFiles(join(home, 'tls'), 'node');
  const { cluster, domain } = record;
  if (!existsSync(tls.key)) {
    const request = {
      kind: 'node',
      cluster,
      domain,
      node: node.name,
      role: node.role,
      addresses: [node.address],
      days: certificateDays,
    } as const;
    await writeCredentials(join(home, 'tls'), 'node', await issue(authority, request), owner);
  }
  const storeTls = credentialFiles(join(home, 'tls'), 'store');
  if (node.role !== 'app' && !existsSync(storeTls.key)) {
    const request = { kind: 'store-client', cluster, name: node.name, days: certificateDays } as const;
    await writeCredentials(join(home, 'tls'), 'store', await issue(authority, request), owner);
  }
  writeOwned(record, join(home, 'node.yaml'), renderNodeFile(nodeFile(record, node)), 0o640);
}

function nodeFile(record: StageRecord, node: StageNode): NodeFile {
  const home = nodeDirectory(record, node.name);
  const tls = credentialFiles(join(home, 'tls'), 'node');
  const storeTls = credentialFiles(join(home, 'tls'), 'store');
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
    },
    tls,
    store:
      node.role === 'app'
        ? null
        : {
            endpoints: storeHosts(record).map((member) => `https://${member.address}:${stagePorts.storeClient}`),
            ca: storeTls.ca,
            certificate: storeTls.certificate,
            key: storeTls.key,
            user: storeUser(record, node).name,
            passwordFile: join(home, 'tls', 'store-password'),
          },
    databaseAgents: record.nodes
      .filter((other) => other.role === 'database')
      .map(({ name, address }) => ({ node: name, address })),
    binaries: { postgres: null, pgbouncer: null },
    pooler: { listenAddress: node.address },
  };
}

/** One etcd member, beside the database node of the same name or on a host of its own. */
export async function writeStoreMember(record: StageRecord, node: StageHost, authority: Authority): Promise<void> {
  const home = nodeDirectory(record, node.name);
  for (const part of ['', 'log', 'tls']) makeDirectory(record, join(home, part), 0o750);
  const files = credentialFiles(join(home, 'tls'), 'etcd');
  if (!existsSync(files.key)) {
    // Members of one machine call each other from 127.0.0.1, and etcd checks the caller's address too.
    const addresses = [node.address, '127.0.0.1'];
    const request = {
      kind: 'store-server',
      cluster: record.cluster,
      name: node.name,
      addresses,
      days: certificateDays,
    } as const;
    const owner = process.getuid?.() === 0 ? record.user : null;
    await writeCredentials(join(home, 'tls'), 'etcd', await issue(authority, request), owner);
  }
  makeDirectory(record, join(home, 'etcd'), 0o700);
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
    tls: credentialFiles(join(home, 'tls'), 'etcd'),
  };
}

/** The operator's certificate, and where the agents are: what the command line needs. */
export async function writeOperator(record: StageRecord, authority: Authority): Promise<void> {
  const directory = join(record.root, 'operator');
  const files = credentialFiles(directory, 'operator');
  if (!existsSync(files.key)) {
    const name = process.env.USER ?? 'operator';
    const request = { kind: 'operator', cluster: record.cluster, name, days: certificateDays } as const;
    await writeCredentials(directory, 'operator', await issue(authority, request));
    chmodSync(directory, 0o700);
  }
  const agents = record.nodes.map(({ name, role, address }) => ({ node: name, role, address, port: stagePorts.api }));
  const apps = record.nodes
    .filter((node) => node.role === 'app')
    .map((node) => ({
      node: node.name,
      address: node.address,
      state: join(nodeDirectory(record, node.name), 'state'),
    }));
  const context = { cluster: record.cluster, domain: record.domain, agents, tls: files, apps };
  writeFileSync(contextFile(record), `${JSON.stringify(context, null, 2)}\n`, { mode: 0o600 });
}
