/** What a database node's agent answers of the cluster's authority, and what of it is told to `doctor`. */
import { authorityAnswers } from '../agent/authority-order.ts';
import type { DatabaseNode } from '../agent/database-node.ts';
import type { AuthorityAnswers, DoctorFinding } from '../api/contract.ts';
import { checkAuthority } from '../doctor/authority.ts';
import { authorityStanding } from '../pki/authority-standing.ts';
import { signerOf } from './certificates.ts';
import type { Foundation } from './foundation.ts';

export interface AuthorityParts {
  readonly answers: AuthorityAnswers;
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
  return {
    answers: authorityAnswers({ self: file.node, signer: signerOf(foundation), ...orders }, standing),
    findings: () => checkAuthority(standing(), clock.wallClock().getTime()),
  };
}
