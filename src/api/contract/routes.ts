/**
 * The table of routes: what the agent's API answers, who may ask, and how long an answer may take. Both ends import it.
 *
 * Invariant: nobody may call what is not said here of his kind. docs/api.md shows who may call what; a test holds it
 * against this table.
 */
import type { CallerKind } from './identities.ts';

/** Answers from memory, or with one short act. */
const atOnceMs = 10_000;

const people = ['operator', 'viewer'] as const;

const readers = [...people, 'database'] as const;

/** `withinMs`: how long the agent may take for its answer; whoever asks waits a little longer. Streams have no end. */
export const routes = {
  health: { method: 'GET', path: '/v1/health', who: [...readers, 'witness'], withinMs: atOnceMs },
  status: { method: 'GET', path: '/v1/status', who: readers, withinMs: atOnceMs },
  why: { method: 'GET', path: '/v1/why', who: readers, withinMs: atOnceMs },
  /** It runs programs, and asks other agents for the time. */
  doctor: { method: 'GET', path: '/v1/doctor', who: people, withinMs: 29_000 },
  spec: { method: 'GET', path: '/v1/spec', who: readers, withinMs: atOnceMs },
  apply: { method: 'POST', path: '/v1/spec', who: ['operator'], withinMs: atOnceMs },
  /** Newline-delimited JSON of EventRecord; `?after=N`, `?follow=true`. */
  events: { method: 'GET', path: '/v1/events', who: readers, withinMs: atOnceMs },
  topology: { method: 'GET', path: '/v1/topology', who: [...readers, 'app'], withinMs: atOnceMs },
  topologyStream: {
    method: 'GET',
    path: '/v1/topology/stream',
    who: [...readers, 'app'],
    withinMs: atOnceMs,
  },
  /** Only the app node itself may report for itself. */
  report: { method: 'POST', path: '/v1/poolers/:node/report', who: ['app'], withinMs: atOnceMs },
  /** Two checkpoints come first, of up to 110 s each (agent/switchover-start.ts). */
  switchover: { method: 'POST', path: '/v1/switchover', who: ['operator', 'database'], withinMs: 235_000 },
  operation: { method: 'GET', path: '/v1/operation', who: readers, withinMs: atOnceMs },
  cancel: { method: 'POST', path: '/v1/operations/:id/cancel', who: ['operator', 'database'], withinMs: atOnceMs },
  failover: { method: 'POST', path: '/v1/failover', who: ['operator'], withinMs: atOnceMs },
  readOnly: { method: 'POST', path: '/v1/read-only', who: ['operator'], withinMs: atOnceMs },
  handsOff: { method: 'POST', path: '/v1/hands-off', who: ['operator'], withinMs: atOnceMs },
  credentials: { method: 'GET', path: '/v1/credentials', who: readers, withinMs: atOnceMs },
  rotateCredentials: { method: 'POST', path: '/v1/credentials/rotate', who: ['operator'], withinMs: atOnceMs },
  databases: { method: 'GET', path: '/v1/databases', who: readers, withinMs: atOnceMs },
  revertDatabases: { method: 'POST', path: '/v1/databases/revert', who: ['operator'], withinMs: 60_000 },
  dropDatabase: { method: 'POST', path: '/v1/databases/drop', who: ['operator'], withinMs: 60_000 },
  receipts: { method: 'GET', path: '/v1/receipts', who: readers, withinMs: atOnceMs },
  receipt: { method: 'GET', path: '/v1/receipts/:id', who: readers, withinMs: atOnceMs },
  lost: { method: 'GET', path: '/v1/lost', who: readers, withinMs: atOnceMs },
  checkpoint: { method: 'POST', path: '/v1/checkpoint', who: ['database'], withinMs: 115_000 },
  promise: { method: 'POST', path: '/v1/promise', who: ['database'], withinMs: atOnceMs },
  lastWords: { method: 'POST', path: '/v1/last-words', who: ['database'], withinMs: atOnceMs },
  /** A node for itself alone, by its certificate. It starts a program, on a machine that may be busy. */
  certificate: { method: 'POST', path: '/v1/certificate', who: ['database', 'app', 'witness'], withinMs: 25_000 },
  token: { method: 'POST', path: '/v1/tokens', who: ['operator'], withinMs: atOnceMs },
  person: { method: 'POST', path: '/v1/people', who: ['operator'], withinMs: 25_000 },
  certificates: { method: 'GET', path: '/v1/certificates', who: readers, withinMs: atOnceMs },
  trust: { method: 'GET', path: '/v1/trust', who: readers, withinMs: atOnceMs },
  stateTrust: { method: 'POST', path: '/v1/trust', who: ['operator'], withinMs: atOnceMs },
  registered: { method: 'GET', path: '/v1/certificates/registered', who: readers, withinMs: atOnceMs },
  registerCertificate: {
    method: 'POST',
    path: '/v1/certificates/registered',
    who: ['operator'],
    withinMs: atOnceMs,
  },
  forgetCertificate: { method: 'POST', path: '/v1/certificates/forget', who: ['operator'], withinMs: atOnceMs },
  authority: { method: 'GET', path: '/v1/authority', who: readers, withinMs: atOnceMs },
  /** It starts a program, on a machine that may be busy. */
  renewAuthority: { method: 'POST', path: '/v1/authority', who: ['operator'], withinMs: 45_000 },
  revokeCertificates: { method: 'POST', path: '/v1/certificates/revoke', who: ['operator'], withinMs: atOnceMs },
  audit: { method: 'GET', path: '/v1/audit', who: people, withinMs: atOnceMs },
  auditAnchors: { method: 'GET', path: '/v1/audit/anchors', who: people, withinMs: atOnceMs },
  /** `?offset=N`, in bytes. */
  auditFile: { method: 'GET', path: '/v1/audit/files/:file', who: people, withinMs: atOnceMs },
  acceptAudit: { method: 'POST', path: '/v1/audit/accept', who: ['operator'], withinMs: atOnceMs },
  backups: { method: 'GET', path: '/v1/backups', who: readers, withinMs: atOnceMs },
  orderBackup: { method: 'POST', path: '/v1/backups', who: ['operator'], withinMs: atOnceMs },
  cancelBackup: { method: 'POST', path: '/v1/backups/cancel', who: ['operator'], withinMs: atOnceMs },
  /** Upgraded: the connection is handed over (upgrade.ts). `?version=` of the program. */
  backupPassage: { method: 'POST', path: '/v1/backups/passage', who: ['database'], withinMs: atOnceMs },
  repositorySecret: { method: 'POST', path: '/v1/backups/secret', who: ['operator'], withinMs: atOnceMs },
  reinit: { method: 'POST', path: '/v1/reinit', who: ['operator'], withinMs: atOnceMs },
  restart: { method: 'POST', path: '/v1/restart', who: ['operator'], withinMs: atOnceMs },
} as const;

export type RouteName = keyof typeof routes;

export function mayCall(route: RouteName, kind: CallerKind | 'unknown'): boolean {
  const who: readonly string[] = routes[route].who;
  return who.includes(kind);
}

/** Of `backupPassage`, in the heads of both sides (RFC 9110 section 7.8). */
export const passageProtocol = 'understudy-backup';
/** Percent-encoded; with it. */
export const dataDirectoryHeader = 'x-understudy-data-directory';

/** `operator/<percent-encoded name>`: for whom a database node's agent forwards a request. */
export const onBehalfOfHeader = 'x-understudy-on-behalf-of';
