/**
 * How a node or a person comes to a first certificate.
 *
 * Invariant: neither a private key nor the secret of a token that was not used yet is in what an agent is told.
 */
import type { CertificateWish, IssuedCertificate } from '../../core/certificates.ts';
import type { NodeName, NodeRole } from '../../core/spec.ts';
import type { Person } from './identities.ts';

/** By it a node may enrol: what the token says beside this is made where it is ordered, and told to no agent. */
export interface TokenRequest {
  readonly node: NodeName;
  /** As which it is declared; `null`: whatever that is. */
  readonly role: NodeRole | null;
  readonly forMs: number;
  /** Of the token's secret; pki/enrolment-token.ts. */
  readonly digest: string;
}

export interface TokenAnswer {
  readonly node: NodeName;
  readonly role: NodeRole;
  /** ISO 8601. */
  readonly expiresAt: string;
  /** Where it may be used: `host:port`. */
  readonly addresses: readonly string[];
}

export interface EnrolmentRequest {
  readonly node: NodeName;
  readonly secret: string;
  readonly wishes: readonly CertificateWish[];
}

/** What a node that is new needs to write its node file. */
export interface EnrolmentGrant {
  /** Of what was wished for what this node may have. */
  readonly issued: readonly IssuedCertificate[];
  readonly caPem: string;
  readonly address: string;
  readonly apiPort: number;
  readonly databaseAgents: readonly { readonly node: NodeName; readonly address: string }[];
  readonly storeEndpoints: readonly string[];
  /** Of the store, where that has an authority of its own. */
  readonly storeCaFile: string | null;
  readonly dataDirectory: string | null;
}

/** A certificate for a person, whose key is made where it is ordered. */
export interface PersonRequest {
  readonly role: Person['kind'];
  readonly name: string;
  readonly lifeMs: number;
  /** PEM. */
  readonly request: string;
}

export interface PersonAnswer {
  /** PEM, leaf first. */
  readonly chain: string;
  readonly caPem: string;
}
