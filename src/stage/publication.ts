/**
 * Puts into a stage's store what it has to know of the certificates that were made with the stage: each node's sealing
 * certificate, the list of all, and, sealed to the first database node, the issuing authority's key. That node's agent
 * hands it on to the others.
 *
 * Invariant: may be called again; what stands there already is not written again.
 */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadNodeFile } from '../config/load-node-file.ts';
import type { AuthorityRecord } from '../core/authority.ts';
import type { CertificateRecord } from '../core/certificates.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { openStore } from '../etcd/store-access.ts';
import { certificatesIn, credentialFiles } from '../pki/credential-files.ts';
import { issuingKeyPlace } from '../pki/issuing-task.ts';
import { recordOf } from '../pki/record.ts';
import { revocationList } from '../pki/revocation-list.ts';
import { listsOfRoots } from '../pki/revocation-list-reading.ts';
import { seal } from '../pki/seal.ts';
import { verifySealingKey } from '../pki/sealing-key.ts';
import { rootOf } from '../pki/trust-statement.ts';
import type { Clock } from '../ports/clock.ts';
import type { StoreWrite } from '../ports/store.ts';
import { encodeRecord } from '../records/codecs.ts';
import {
  certificateKey,
  certificatePrefix,
  issuingSecretName,
  keys,
  revocationListKey,
  revocationListPrefix,
  sealingKey,
  secretKey,
} from '../records/keys.ts';
import { certificatesOf } from './certificates.ts';
import { nodeDirectory, personDirectory, type StageNode, type StageRecord, stagePeople, storeHosts } from './record.ts';
import { stageAuthority, stageAuthorityRoots, stageRootList } from './stage-authority.ts';

const withinMs = 30_000;
/** etcd takes 128 operations in one transaction. */
const atOnce = 100;

export async function publishCertificates(record: StageRecord, clock: Clock): Promise<void> {
  const client = record.nodes.find((node) => node.role !== 'app');
  if (client === undefined) throw new UnderstudyError('BROKEN_INVARIANT', 'a stage without a store client');
  const { store: access } = loadNodeFile(join(nodeDirectory(record, client.name), 'node.yaml'));
  if (access === null) throw new UnderstudyError('BROKEN_INVARIANT', `${client.name} has no access to the store`);
  const wanted = [
    ...record.nodes.map((node) => sealingOf(record, node)),
    ...listed(record),
    await issuingKeyFor(record),
    { key: keys.authority, value: encodeRecord('authority', await authorityFor(record)) },
    ...(await revocationListsOf(record)),
  ];
  const store = openStore(access, record.cluster, clock);
  try {
    const { entries } = await store.readAll({ withinMs });
    const writes = wanted.filter(({ key, value }) => {
      const there = entries.get(key)?.value;
      return isWrittenOnce(record, key) ? there === undefined : there !== value;
    });
    for (let from = 0; from < writes.length; from += atOnce) {
      await store.transact([], writes.slice(from, from + atOnce), { withinMs });
    }
  } finally {
    await store.close();
  }
}

type Put = Extract<StoreWrite, { value: string }>;

function sealingOf(record: StageRecord, { name: node }: StageNode): Put {
  const chainPem = readFileSync(certificatesOf(record, node).sealing.certificate, 'utf8');
  return { key: sealingKey(node), value: encodeRecord('sealing', { node, chainPem }) };
}

function listed(record: StageRecord): readonly Put[] {
  const ofNodes = record.nodes.flatMap(({ name, role }) => {
    const { node, sealing, storeClient } = certificatesOf(record, name);
    return [node, sealing, ...(role === 'app' ? [] : [storeClient])].map((files) => ({ files, where: name }));
  });
  const ofMembers = storeHosts(record).map(({ name }) => ({
    files: certificatesOf(record, name).storeServer,
    where: name,
  }));
  const ofPeople = stagePeople.map((person) => ({
    files: credentialFiles(personDirectory(record, person), person),
    where: null,
  }));
  return [...ofNodes, ...ofMembers, ...ofPeople].map(({ files, where }) => {
    const chain = certificatesIn(readFileSync(files.certificate, 'utf8'));
    const known = recordOf(chain);
    const root = rootOf(chain, stageAuthorityRoots(record)) ?? undefined;
    const whole: CertificateRecord = { ...known, where, requestedBy: 'stage up', issuedBy: null, root };
    return { key: certificateKey(known.serial), value: encodeRecord('certificate', whole) };
  });
}

/** Of both authorities: whoever checks lists needs all. */
async function revocationListsOf(record: StageRecord): Promise<readonly Put[]> {
  const authority = await stageAuthority(record);
  const { rootsPem, certificatePem } = authority;
  const lists = [
    ...listsOfRoots(rootsPem, stageRootList(record)),
    { authority: certificatePem, list: await revocationList(authority, [], Date.now()) },
  ];
  return lists.map((one) => ({
    key: revocationListKey(new X509Certificate(one.authority).serialNumber),
    value: encodeRecord('revocation-list', one),
  }));
}

function firstDatabase(record: StageRecord): StageNode {
  const first = record.nodes.find(({ role }) => role === 'database');
  if (first === undefined) throw new UnderstudyError('BROKEN_INVARIANT', 'a stage without a database node');
  return first;
}

function secretKeyOf(record: StageRecord): string {
  return secretKey(firstDatabase(record).name, issuingSecretName);
}

/** A sealed text is never twice the same; and the cluster may have another authority by now. */
function isWrittenOnce(record: StageRecord, key: string): boolean {
  // What agents said of their own certificates is more than is known here.
  const isListed = key.startsWith(certificatePrefix) || key.startsWith(revocationListPrefix);
  return isListed || key === secretKeyOf(record) || key === keys.authority;
}

async function authorityFor(record: StageRecord): Promise<AuthorityRecord> {
  const { certificatePem } = await stageAuthority(record);
  return { certificatePem, at: new Date().toISOString(), by: 'stage up' };
}

async function issuingKeyFor(record: StageRecord): Promise<Put> {
  const { cluster } = record;
  const { name: node } = firstDatabase(record);
  const { certificatePem, keyPem, rootsPem } = await stageAuthority(record);
  const { certificate, key } = certificatesOf(record, node).sealing;
  const files = { certificatePem: readFileSync(certificate, 'utf8'), keyPem: readFileSync(key, 'utf8') };
  const nowMs = Date.now();
  const own = verifySealingKey(files, node, { cluster, rootsPem }, nowMs);
  if (!own.ok) throw new UnderstudyError('CERTIFICATE_REFUSED', `the sealing certificate of ${node}: ${own.because}`);
  const secret = Buffer.from(JSON.stringify({ certificatePem, keyPem }));
  const context = issuingKeyPlace(node);
  return { key: secretKeyOf(record), value: seal({ secret, cluster, context, to: own.value, by: own.value, nowMs }) };
}
