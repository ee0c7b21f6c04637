/** Where each value stands under the cluster's prefix. */
import type { BackupWork } from '../core/backup-run.ts';
import type { ApplicationName, NodeName } from '../core/spec.ts';

export const keys = {
  spec: 'spec',
  cluster: 'cluster',
  lease: 'lease',
  renewal: 'renewal',
  operation: 'operation',
  durability: 'durability',
  handsOff: 'hands-off',
  readOnly: 'read-only',
  acceptedLoss: 'accepted-loss',
  authority: 'authority',
  trust: 'trust',
  backupRun: 'backup-run',
  repository: 'repository',
} as const;

export const memberPrefix = 'members/';
export const poolerPrefix = 'poolers/';
export const ballotPrefix = 'ballots/';
export const timelinePrefix = 'timelines/';
export const eventPrefix = 'events/';
export const receiptPrefix = 'receipts/';
export const auditPrefix = 'audit/';
export const sealingPrefix = 'sealing/';
export const secretPrefix = 'secrets/';
export const certificatePrefix = 'certificates/';
export const trustingPrefix = 'trusting/';
export const registeredPrefix = 'registered/';
export const revocationPrefix = 'revocations/';
export const revocationListPrefix = 'revocation-lists/';
export const tokenPrefix = 'tokens/';
export const endedRunPrefix = 'backup-runs/';

export function memberKey(node: NodeName): string {
  return `${memberPrefix}${node}`;
}

/** How far that node's audit log has come. */
export function auditKey(node: NodeName): string {
  return `${auditPrefix}${node}`;
}

export function poolerKey(node: NodeName): string {
  return `${poolerPrefix}${node}`;
}

export function ballotKey(term: number, node: NodeName): string {
  return `${ballotPrefix}${term}/${node}`;
}

/** The timeline that the holder of a term writes on. */
export function timelineKey(term: number): string {
  return `${timelinePrefix}${term}`;
}

/** Padded, so that keys sort as the numbers do. */
export function eventKey(sequence: number): string {
  return `${eventPrefix}${String(sequence).padStart(12, '0')}`;
}

export function receiptKey(id: string): string {
  return `${receiptPrefix}${id}`;
}

/** A node's sealing certificate, which is public. */
export function sealingKey(node: NodeName): string {
  return `${sealingPrefix}${node}`;
}

/** A secret that is sealed to a node; also what it is sealed for (pki/seal.ts). */
export function secretKey(node: NodeName, name: string): string {
  return `${secretPrefix}${node}/${name}`;
}

/** Under it lies what opens the repository of backups, sealed to a database node. */
export const repositorySecretName = 'repository';

/** The last work of that kind that ended. */
export function endedRunKey(work: BackupWork): string {
  return `${endedRunPrefix}${work}`;
}

/** Under it lies the issuing authority's key, sealed to a database node. */
export const issuingSecretName = 'issuing';

export function certificateKey(serial: string): string {
  return `${certificatePrefix}${serial}`;
}

/** Which statement of trust that node goes by. */
export function trustingKey(node: NodeName): string {
  return `${trustingPrefix}${node}`;
}

/** A certificate of others, by the name that it was registered under. */
export function registeredKey(name: string): string {
  return `${registeredPrefix}${name}`;
}

/** `serial`: of the authority. */
export function revocationListKey(serial: string): string {
  return `${revocationListPrefix}${serial}`;
}

export function revocationKey(serial: string): string {
  return `${revocationPrefix}${serial}`;
}

/** By which that node may enrol: the last one that was ordered. */
export function tokenKey(node: NodeName): string {
  return `${tokenPrefix}${node}`;
}

/** The credential of an application on that node. */
export function credentialKey(node: NodeName, application: ApplicationName): string {
  return secretKey(node, `applications/${application}`);
}

/** `null`: another secret's key. */
export function parseCredentialKey(
  key: string,
): { readonly node: NodeName; readonly application: ApplicationName } | null {
  const [prefix, node, kind, application, ...more] = key.split('/');
  if (`${prefix}/` !== secretPrefix || kind !== 'applications' || more.length > 0) return null;
  return node === undefined || application === undefined ? null : { node, application };
}
