/** What a database node's agent answers of the cluster's authority and of registered certificates, and what of it is told to `doctor`. */
import { authorityAnswers } from '../agent/authority-order.ts';
import type { DatabaseNode } from '../agent/database-node.ts';
import { registeredAnswers } from '../agent/registration-order.ts';
import type { AuthorityAnswers, RegisteredAnswers } from '../api/contract/certificates.ts';
import type { DoctorFinding } from '../api/contract/looks.ts';
import type { StoreView } from '../core/cluster-view.ts';
import type { NodeName } from '../core/spec.ts';
import { checkAuthority } from '../doctor/authority.ts';
import { checkRegistered } from '../doctor/registered.ts';
import { checkIdentities } from '../doctor/shut-out.ts';
import { authorityStanding } from '../pki/authority-standing.ts';
import { foreignCertificate } from '../pki/foreign-certificate.ts';
import { signerOf } from './certificates.ts';
import type { Foundation } from './foundation.ts';

export interface AuthorityParts {
  readonly answers: AuthorityAnswers;
  readonly registered: RegisteredAnswers;
  findings(): readonly DoctorFinding[];
}

export function authorityOf(foundation: Foundation, agent: DatabaseNode): AuthorityParts {
  const { clock, credentials, file } = foundation;
  const { emit, mirror, signal } = agent;
  const standing = () => {
    const { caPem: rootsPem, certificatePem } = credentials.current();
    return authorityStanding({ rootsPem, issuingPems: [mirror.image.authority?.value.certificatePem, certificatePem] });
  };
  const orders = { clock, mirror, signal, emit };
  const registered = registeredAnswers({ ...orders, read: foreignCertificate });
  return {
    registered,
    answers: authorityAnswers({ self: file.node, signer: signerOf(foundation), ...orders }, standing),
    findings: () => {
      const nowMs = clock.wallClock().getTime();
      return [
        ...checkAuthority(standing(), nowMs),
        ...checkRegistered(registered.all(), nowMs),
        ...identitiesOf(file.node, mirror.view),
      ];
    },
  };
}

function identitiesOf(self: NodeName, { lease, shutOut, spec }: StoreView): readonly DoctorFinding[] {
  const primary = lease?.value.state === 'held' ? lease.value.holder : null;
  return spec === null ? [] : checkIdentities({ self, shutOut, primary, spec: spec.value.spec });
}
