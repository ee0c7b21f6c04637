/** Composes what a database node or a witness does about certificates: its own, and those that it issues. */
import { renewForEver } from '../agent/certificate-renewal.ts';
import type { DatabaseNode } from '../agent/database-node.ts';
import type { Enrolment } from '../agent/enrolment.ts';
import { Issuing } from '../agent/issuing.ts';
import { OwnCertificates } from '../agent/own-certificates.ts';
import { rememberIssuingKeyIn } from '../agent/remembered-issuing-key.ts';
import { TrustKeeping } from '../agent/trust-keeping.ts';
import { reportTrust } from '../agent/trust-order.ts';
import type { CertificateWish } from '../core/certificates.ts';
import { ownCertificatesOf } from '../core/own-certificates.ts';
import { nodesOfRole, type Spec } from '../core/spec.ts';
import { readCredentials } from '../pki/credential-files.ts';
import { founderRecords } from '../pki/founding.ts';
import type { RevocationLists } from '../pki/revocation-lists.ts';
import { readOwnSealing } from '../secrets/own-sealing.ts';
import { askedOf, ownCertificateParts, renewalOf, signerOf } from './certificates.ts';
import { enrolmentOf } from './enrolment.ts';
import type { Foundation } from './foundation.ts';
import { revocationChores } from './revocations.ts';
import type { TrustParts } from './trust.ts';

export interface Certificates {
  readonly issuing: Issuing;
  readonly enrolment: Enrolment;
  readonly own: OwnCertificates;
  readonly trust: TrustParts;
  readonly lists: RevocationLists;
  /** Each ends with the agent. */
  forEver(): readonly Promise<void>[];
}

export interface CertificateParts {
  /** The declaration as far as this node knows it. */
  readonly spec: () => Spec | null;
  readonly lists: RevocationLists;
}

export function certificatesOf(
  foundation: Foundation,
  { spec, lists }: CertificateParts,
  agent: DatabaseNode,
): Certificates {
  const { file, clock, log, credentials, revoked } = foundation;
  const { trust, ...renewal } = renewalOf(foundation, agent.signal);
  const takeUp = async (): Promise<void> => {
    credentials.replace(await readCredentials(file.tls));
    await agent.postgres.renewCertificate();
  };
  const keeping = new TrustKeeping({
    files: trust.files,
    wanted: () => agent.mirror.image.trust?.value ?? null,
    takeUp,
    report: async (number) => await reportTrust(agent, number),
    clock,
    signal: agent.signal,
    tell: (name, facts) => agent.emit(name, { node: file.node, ...facts }),
  });
  const issuing = new Issuing({
    self: file.node,
    mirror: agent.mirror,
    clock,
    signal: agent.signal,
    log,
    signer: signerOf(foundation),
    spec,
    remembered: rememberIssuingKeyIn(file.directories.state),
    own: {
      records: () => [...renewal.files.records(), ...founderRecords(file, clock.wallClock().toISOString())],
    },
    revoked,
    sealingChain: () => readOwnSealing(file.tls.sealing)?.certificatePem ?? null,
  });
  const others = () => {
    const known = spec();
    return known === null ? [] : nodesOfRole(known, 'database').filter(({ name }) => name !== file.node);
  };
  const sources = () => [
    ...(file.role === 'database' ? [(wishes: readonly CertificateWish[]) => issuing.issue(file.node, wishes)] : []),
    ...others().map(({ name: node, address }) =>
      askedOf(foundation, { node, address, hostName: `${node}.${file.domain}` }),
    ),
  ];
  const own = new OwnCertificates({
    ...ownCertificateParts(foundation, agent.signal),
    isOutdated: trust.isOwnOutdated,
    wanted: () => {
      const known = spec();
      return known === null ? null : ownCertificatesOf(known, file.node);
    },
    sources,
    tell: (name, facts) => agent.emit(name, { node: file.node, ...facts }),
  });
  return {
    issuing,
    enrolment: enrolmentOf(foundation, agent, issuing),
    own,
    trust,
    lists,
    forEver: () => [
      keeping.runForEver(),
      issuing.shareForEver(),
      ...revocationChores(foundation, lists, agent),
      renewForEver({
        ...renewal,
        sources,
        declaredLifeMs: () => spec()?.tls.certificateLifeMs ?? null,
        renewed: takeUp,
        tell: (name, facts) => agent.emit(name, { node: file.node, ...facts }),
      }),
      own.runForEver(),
    ],
  };
}
