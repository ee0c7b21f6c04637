/** The adapters by which an agent comes to its certificates, hands out others, and opens what was sealed to its node. */
import type { X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import type { CertificateSource } from '../agent/certificate-renewal.ts';
import { createAgentClient } from '../api/client.ts';
import { createLateServer, type LateServer } from '../api/late-server.ts';
import { certificatesDirectory, latePort } from '../config/node-file.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { CertificateDirectories } from '../own-certificates/certificate-directories.ts';
import { readCertificate } from '../pki/identity.ts';
import { issuingProcess } from '../pki/issuing-process.ts';
import { judgeLateCaller } from '../pki/lately-expired.ts';
import { type LeafPlaces, leafFiles } from '../pki/leaf-files.ts';
import type { Signer } from '../ports/certificates.ts';
import { readOwnSealing, trustIn } from '../secrets/own-sealing.ts';
import { beside, type Foundation, type Running } from './foundation.ts';
import { trustOf } from './trust.ts';

export function lateServer({ audit, credentials, file, log, revoked }: Foundation, running: Running): LateServer {
  const { address, port } = file.api;
  const judge = (certificate: X509Certificate | undefined) =>
    judgeLateCaller(
      certificate,
      { rootsPem: credentials.current().caPem, cluster: file.cluster, revoked: revoked.since },
      Date.now(),
    );
  const { backend } = running;
  const tls = credentials.current();
  return createLateServer({ backend, tls, address, port: latePort(port), log, audit: audit.trail, judge });
}

/** Asks one agent; where this node's certificate has expired, on the port for that. */
export function askedOf(
  { credentials, file, revoked }: Foundation,
  agent: { readonly node: string; readonly address: string; readonly hostName: string },
): CertificateSource {
  return async (wishes) => {
    const { current } = credentials;
    const isLate = Date.parse(readCertificate(current().certificatePem).validTo) <= Date.now();
    const port = isLate ? latePort(file.api.port) : file.api.port;
    const client = createAgentClient({ ...agent, cluster: file.cluster, port, tls: current, revoked });
    try {
      return await client.certificate(wishes);
    } finally {
      client.close();
    }
  };
}

export function renewalOf(foundation: Foundation, signal: AbortSignal) {
  const { clock, file } = foundation;
  const { store, tls } = file;
  const places: LeafPlaces = {
    node: tls,
    ...(tls.sealing === undefined ? {} : { sealing: tls.sealing }),
    ...(store === null ? {} : { 'store-client': store }),
    ...(store?.server === undefined ? {} : { 'store-server': store.server }),
  };
  const trust = trustOf(foundation, places);
  const files = leafFiles(places, { check: trust.check });
  return { files, trust, isOutdated: trust.isOutdated, clock, signal, draw: () => Math.random() };
}

export function ownCertificateParts({ file, clock }: Foundation, signal: AbortSignal) {
  const files = new CertificateDirectories({
    directory: certificatesDirectory(file),
    record: join(file.directories.state, 'own-certificates.json'),
    authority: file.tls.ca,
  });
  return { files, clock, signal, draw: () => Math.random() };
}

export function signerOf({ file, clock, revoked }: Foundation): Signer {
  const { cluster, domain, node, tls } = file;
  const { sealing } = tls;
  if (sealing === undefined || file.role !== 'database') {
    const refuse = () => Promise.reject(new UnderstudyError('NOT_FOUND', `${node} has no issuing key`));
    return { sign: refuse, list: refuse, certify: refuse, share: refuse, inspect: refuse };
  }
  const place = { cluster, domain, node, roots: tls.ca, sealing };
  const now = () => ({ nowMs: clock.wallClock().getTime(), revoked: [...revoked.since] });
  return issuingProcess(beside('issuer.mjs'), place, now);
}

export function secretsOf({ file, clock, revoked }: Foundation) {
  return {
    self: file.node,
    // Its certificate is renewed.
    own: () => readOwnSealing(file.tls.sealing),
    trust: trustIn(file.cluster, file.tls.ca, () => revoked.since),
    nowMs: () => clock.wallClock().getTime(),
  };
}
