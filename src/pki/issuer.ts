/**
 * The work of the issuing process: opens the issuing key with this node's sealing key, and signs certificates or a list of revoked
 * ones with it, or seals it to other database nodes.
 *
 * Invariant: the issuing key is sealed only to those who may seal themselves, database nodes by their certificates; what
 * is signed says what this node's agent decided, and of the signing request nothing but the key.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { CertificatePurpose } from '../core/certificates.ts';
import { describeError } from '../errors/understudy-error.ts';
import type { DecidedCertificate, DecidedPerson, SignedCertificate } from '../ports/certificates.ts';
import type { Authority } from './authority.ts';
import { type CertificateRequest, issueFor } from './issue.ts';
import { type IssuingAnswer, type IssuingTask, issuingKeyPlace, issuingSecret } from './issuing-task.ts';
import { recordOf } from './record.ts';
import { requestedKey } from './requested-key.ts';
import { revocationList } from './revocation-list.ts';
import { seal, unseal } from './seal.ts';
import { type SealingKey, verifySealingCertificate, verifySealingKey } from './sealing-key.ts';
import { judgeChain, readCertificates, type Trust } from './trust.ts';
import { rootOf } from './trust-statement.ts';

/** As long as the issuing authority itself: it is clipped to that. */
const sealingLifeMs = 400 * 24 * 60 * 60_000;

/** Never rejects: what went wrong is the answer. */
export async function performIssuing(task: IssuingTask): Promise<IssuingAnswer> {
  try {
    const { cluster, revoked, roots } = task;
    const trust = { rootsPem: readFileSync(roots, 'utf8'), cluster, revoked: new Map(revoked) };
    const own = ownSealingKey(task, trust);
    if (typeof own === 'string') return { outcome: 'refused', because: own };
    const opened = unseal(task.sealedKey, issuingKeyPlace(task.node), own, trust);
    if (!opened.ok) return { outcome: 'refused', because: `the issuing key does not open: ${opened.because}` };
    if (task.work.do === 'share')
      return { outcome: 'shared', shared: share(task, task.work.to, opened.secret, own, trust) };
    const authority: Authority = {
      ...issuingSecret.parse(JSON.parse(opened.secret.toString('utf8'))),
      rootsPem: trust.rootsPem,
    };
    if (task.work.do === 'inspect') return inspect(authority, trust, task.nowMs);
    if (task.work.do === 'certify') return await certify(authority, task, task.work.person, trust);
    if (task.work.do === 'list') {
      const entries = task.revoked.map(([serial, atMs]) => ({ serial, atMs }));
      const list = await revocationList(authority, entries, task.nowMs);
      return { outcome: 'listed', authority: authority.certificatePem, list };
    }
    const signed: SignedCertificate[] = [];
    for (const wanted of task.work.wanted) {
      const { record, ...rest } = await signOne(authority, task, wanted);
      const root = rootOf(rest.chain, trust.rootsPem) ?? undefined;
      signed.push({ ...rest, record: { ...record, root } });
    }
    const distrusted = signed.map(({ chain }) => judgeChain(chain, trust, task.nowMs)).find(({ trusted }) => !trusted);
    if (distrusted?.trusted === false) return { outcome: 'refused', because: `what was signed: ${distrusted.because}` };
    return { outcome: 'signed', signed: signed.map((one) => ({ ...one, record: mutable(one.record) })) };
  } catch (error) {
    return { outcome: 'refused', because: describeError(error) };
  }
}

function ownSealingKey({ node, sealing, nowMs }: IssuingTask, trust: Trust): SealingKey | string {
  const files = {
    certificatePem: readFileSync(sealing.certificate, 'utf8'),
    keyPem: readFileSync(sealing.key, 'utf8'),
  };
  const own = verifySealingKey(files, node, trust, nowMs);
  return own.ok ? own.value : `this node's sealing certificate: ${own.because}`;
}

/** What somebody brought: it is taken only when it could sign at once what everyone would believe. */
function inspect({ certificatePem, keyPem }: Authority, { rootsPem }: Trust, nowMs: number): IssuingAnswer {
  const refused = (because: string): IssuingAnswer => ({
    outcome: 'refused',
    because: `the issuing authority: ${because}`,
  });
  const certificate = new X509Certificate(certificatePem);
  const roots = readCertificates(rootsPem) ?? [];
  const isSigned = roots.some((root) => certificate.checkIssued(root) && certificate.verify(root.publicKey));
  if (!certificate.ca || !isSigned) return refused('no trusted root has signed it');
  if (!certificate.checkPrivateKey(createPrivateKey(keyPem))) return refused('its key is another one');
  const [startsAt, endsAt] = [new Date(certificate.validFrom), new Date(certificate.validTo)];
  if (startsAt.getTime() > nowMs || endsAt.getTime() <= nowMs)
    return refused(`it is not good now, but until ${certificate.validTo}`);
  return { outcome: 'inspected', certificatePem, startsAt: startsAt.toISOString(), endsAt: endsAt.toISOString() };
}

function share(
  { cluster, nowMs }: IssuingTask,
  to: readonly { readonly node: string; readonly chainPem: string }[],
  secret: Buffer,
  by: SealingKey,
  trust: Trust,
): { node: string; sealed: string }[] {
  return to.flatMap(({ node, chainPem }) => {
    const found = verifySealingCertificate(chainPem, node, trust, nowMs);
    if (!found.ok || !found.value.maySeal) return [];
    return [{ node, sealed: seal({ secret, cluster, context: issuingKeyPlace(node), to: found.value, by, nowMs }) }];
  });
}

async function certify(
  authority: Authority,
  { cluster, nowMs }: IssuingTask,
  { lifeMs, name, request, role }: DecidedPerson,
  trust: Trust,
): Promise<IssuingAnswer> {
  const wanted: CertificateRequest = { kind: role, cluster, name, lifeMs, nowMs };
  const chain = await issueFor(authority, wanted, await requestedKey(request));
  const reading = judgeChain(chain, trust, nowMs);
  if (!reading.trusted) return { outcome: 'refused', because: `what was signed: ${reading.because}` };
  return { outcome: 'certified', chain, record: mutable(recordOf(chain)) };
}

export async function signOne(
  authority: Authority,
  task: Pick<IssuingTask, 'cluster' | 'domain' | 'nowMs'>,
  wanted: DecidedCertificate,
): Promise<SignedCertificate> {
  const request = requestOf(task, wanted);
  const chain = await issueFor(authority, request, await requestedKey(wanted.request));
  return { purpose: wanted.purpose, chain, record: recordOf(chain) };
}

function requestOf(
  { cluster, domain, nowMs }: Pick<IssuingTask, 'cluster' | 'domain' | 'nowMs'>,
  wanted: DecidedCertificate,
): CertificateRequest {
  const { node, role, addresses, lifeMs } = wanted;
  const validity = { lifeMs, nowMs };
  const requests: { readonly [P in CertificatePurpose]: CertificateRequest } = {
    node: { kind: 'node', cluster, domain, node, role, addresses, ...validity },
    'store-client': { kind: 'store-client', cluster, name: node, ...validity },
    'store-server': { kind: 'store-server', cluster, name: node, addresses, ...validity },
    sealing: { kind: 'sealing', cluster, node, role, lifeMs: sealingLifeMs, nowMs },
    own: { kind: 'own', cluster, name: wanted.ownName ?? '', ...validity },
  };
  return requests[wanted.purpose];
}

function mutable(record: SignedCertificate['record']) {
  return { ...record, hostNames: [...record.hostNames], addresses: [...record.addresses] };
}
