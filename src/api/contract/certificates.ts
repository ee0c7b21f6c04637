/**
 * Certificates once they are there: which are revoked, who issues them, which roots are trusted, and those of others.
 * How one comes to a first certificate stands in enrolment.ts.
 */
import type { AuthorityState } from '../../core/authority.ts';
import type { RegisteredCertificate } from '../../core/registered.ts';
import type { KnownCertificate, RevocationTarget } from '../../core/revocation.ts';
import type { NodeName } from '../../core/spec.ts';
import type { TrustRecord, TrustState } from '../../core/trust-record.ts';
import type { Accepted } from './orders.ts';

export interface RevocationRequest {
  readonly target: RevocationTarget;
  /** Also when whoever asks is left without a certificate. */
  readonly lastWayIn: boolean;
}

export interface RevocationAnswer {
  /** All that were meant, those that were revoked before included. */
  readonly revoked: readonly KnownCertificate[];
  /** How many of them it was that now were. */
  readonly newly: number;
}

/** The issuing authority that is to be used from now on: its certificate and key, sealed to each database node. */
export interface AuthorityRenewalRequest {
  readonly sealed: readonly { readonly node: NodeName; readonly sealed: string }[];
}

export interface AuthorityRenewalAnswer {
  /** ISO 8601. */
  readonly endsAt: string;
  readonly sealedTo: readonly NodeName[];
}

/** The cluster's authority as this node knows it, and what whoever holds its root has to say. */
export interface AuthorityAnswers {
  state(): AuthorityState;
  renew(request: AuthorityRenewalRequest, by: string): Promise<AuthorityRenewalAnswer>;
}

/** Which roots the cluster trusts; `say`: as one of them has signed it. */
export interface TrustAnswers {
  state(): TrustState;
  say(record: TrustRecord, by: string): Promise<Accepted>;
}

export interface RegistrationRequest {
  /** PEM, the leaf alone. */
  readonly certificatePem: string;
  /** `null`: its first host name. */
  readonly name: string | null;
  readonly where: string | null;
}

/** Certificates of others, whose end is told. */
export interface RegisteredAnswers {
  all(): readonly RegisteredCertificate[];
  register(request: RegistrationRequest, by: string): Promise<RegisteredCertificate>;
  forget(name: string, by: string): Promise<Accepted>;
}
