/**
 * The certificates of a stage: made with its nodes, as enrolment does on a server, and listed in the store.
 *
 * Invariant: may be called again: what is good stays. What an agent should have renewed by now is issued anew, since
 * a stage may have been down for longer than a certificate lives; a sealing key stays as long as its certificate is good.
 */
import { X509Certificate } from 'node:crypto';
import { chmodSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { renewalDueMs } from '../core/rules/certificate-renewal.ts';
import { defaultTls } from '../core/spec.ts';
import type { Authority } from '../pki/authority.ts';
import {
  type CredentialFiles,
  combinedFiles,
  credentialFiles,
  writeCombined,
  writeCredentials,
} from '../pki/credential-files.ts';
import { issue } from '../pki/issue.ts';
import { lifeOf } from '../pki/life.ts';
import {
  nodeDirectory,
  personDirectory,
  type StageHost,
  type StageNode,
  type StagePerson,
  type StageRecord,
} from './record.ts';

/** Of people, and of store members whose host has no agent: nobody renews them. */
const longLifeMs = 365 * 24 * 60 * 60_000;

export interface HostCertificates {
  readonly node: CredentialFiles;
  readonly storeClient: CredentialFiles;
  readonly storeServer: CredentialFiles;
  readonly sealing: CredentialFiles;
}

export function certificatesOf(record: StageRecord, host: string): HostCertificates {
  const directory = tlsDirectory(record, host);
  return {
    node: combinedFiles(directory, 'node'),
    storeClient: combinedFiles(directory, 'store'),
    storeServer: combinedFiles(directory, 'etcd'),
    sealing: credentialFiles(directory, 'sealing'),
  };
}

function tlsDirectory(record: StageRecord, host: string): string {
  return join(nodeDirectory(record, host), 'tls');
}

export async function writeNodeCertificates(record: StageRecord, host: StageNode, authority: Authority): Promise<void> {
  const { cluster, domain } = record;
  const { name: node, role, address } = host;
  const files = certificatesOf(record, node);
  const directory = tlsDirectory(record, node);
  const owner = ownerOf(record);
  const life = (lifeMs: number) => ({ lifeMs, nowMs: Date.now() });
  const { certificateLifeMs } = defaultTls;
  if (!isGood(files.node)) {
    const request = {
      kind: 'node',
      cluster,
      domain,
      node,
      role,
      addresses: [address],
      ...life(certificateLifeMs),
    } as const;
    await writeCombined(directory, 'node', await issue(authority, request), owner);
  }
  if (role !== 'app' && !isGood(files.storeClient)) {
    const request = { kind: 'store-client', cluster, name: node, ...life(certificateLifeMs) } as const;
    await writeCombined(directory, 'store', await issue(authority, request), owner);
  }
  if (!isGood(files.sealing)) {
    // As long as its issuing authority: what was sealed must be readable when all leaves have expired.
    const request = { kind: 'sealing', cluster, node, role, ...life(longLifeMs) } as const;
    await writeCredentials(directory, 'sealing', await issue(authority, request), owner);
  }
}

export async function writeMemberCertificate(
  record: StageRecord,
  host: StageHost,
  authority: Authority,
  how: 'if needed' | 'anew' = 'if needed',
): Promise<void> {
  if (how !== 'anew' && isGood(certificatesOf(record, host.name).storeServer)) return;
  const hasAgent = record.nodes.some(({ name, role }) => name === host.name && role !== 'app');
  const request = {
    kind: 'store-server',
    ...{ cluster: record.cluster, name: host.name },
    // Members of one machine call each other from 127.0.0.1, and etcd checks the caller's address too.
    addresses: [host.address, '127.0.0.1'],
    ...{ lifeMs: hasAgent ? defaultTls.certificateLifeMs : longLifeMs, nowMs: Date.now() },
  } as const;
  await writeCombined(tlsDirectory(record, host.name), 'etcd', await issue(authority, request), ownerOf(record));
}

export async function writePersonCertificate(
  record: StageRecord,
  person: StagePerson,
  authority: Authority,
  how: 'if needed' | 'anew' = 'if needed',
): Promise<CredentialFiles> {
  const directory = personDirectory(record, person);
  const files = credentialFiles(directory, person);
  if (how !== 'anew' && isGood(files)) return files;
  const name = process.env.USER ?? person;
  const request = { kind: person, cluster: record.cluster, name, lifeMs: longLifeMs, nowMs: Date.now() } as const;
  await writeCredentials(directory, person, await issue(authority, request));
  chmodSync(directory, 0o700);
  return files;
}

function ownerOf(record: StageRecord): StageRecord['user'] | null {
  return process.getuid?.() === 0 ? record.user : null;
}

function isGood({ certificate }: CredentialFiles): boolean {
  try {
    return Date.now() < renewalDueMs(lifeOf(new X509Certificate(readFileSync(certificate))), null, 0);
  } catch {
    return false; // there is none yet
  }
}
