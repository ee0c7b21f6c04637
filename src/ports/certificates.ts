/** What renewing certificates needs of the world: the files of a node, and whoever can sign. */
import type {
  CertificatePurpose,
  CertificateRecord,
  CertificateWish,
  IssuedCertificate,
} from '../core/certificates.ts';
import type { RevocationListRecord } from '../core/revocation.ts';
import type { CertificateLife } from '../core/rules/certificate-renewal.ts';
import type { NodeName } from '../core/spec.ts';

export interface OwnCertificate {
  readonly purpose: CertificatePurpose;
  readonly serial: string;
  readonly life: CertificateLife;
}

/** The certificates of this node, in the files that its node file names. */
export interface CertificateFiles {
  /** One for each purpose that this node has; `null`: what lies there can't be read. */
  look(purpose: CertificatePurpose): OwnCertificate | null;
  readonly purposes: readonly CertificatePurpose[];
  /** What is to be remembered of those that lie there. */
  records(): readonly SignedCertificate['record'][];
  /** A new key and a request for it; a sealing key stays. The key is kept in memory until its certificate has come. */
  wish(purpose: CertificatePurpose): CertificateWish;
  /** Puts certificate and key in the place of the former ones, at once. Throws CERTIFICATE_REFUSED when they don't fit. */
  put(issued: readonly IssuedCertificate[]): Promise<void>;
}

/** What an issuer decided that a certificate says. */
export interface DecidedCertificate {
  readonly purpose: CertificatePurpose;
  readonly request: string;
  readonly node: NodeName;
  readonly role: 'database' | 'app' | 'witness';
  readonly addresses: readonly string[];
  readonly lifeMs: number;
  /** The name of an own certificate. */
  readonly ownName?: string | undefined;
}

export interface DecidedPerson {
  readonly role: 'operator' | 'viewer';
  readonly name: string;
  readonly request: string;
  readonly lifeMs: number;
}

export interface SignedCertificate {
  readonly purpose: CertificatePurpose;
  readonly chain: string;
  readonly record: Omit<CertificateRecord, 'where' | 'requestedBy' | 'issuedBy'>;
}

/** The issuing authority as it was found under its seal. */
export interface OpenedAuthority {
  /** PEM. */
  readonly certificatePem: string;
  /** ISO 8601, each. When its validity begins, and ends. */
  readonly startsAt: string;
  readonly endsAt: string;
}

/** Signs with the issuing key, which it opens with this node's sealing key each time, elsewhere than in this process. */
export interface Signer {
  /** Throws CERTIFICATE_REFUSED, TIMEOUT, PROCESS_FAILED. */
  sign(sealedKey: string, wanted: readonly DecidedCertificate[]): Promise<readonly SignedCertificate[]>;
  /** Opens one that somebody brought: a trusted root must have signed it, and its key must be with it. Throws as `sign`. */
  inspect(sealedKey: string): Promise<OpenedAuthority>;
  /** Throws as `sign` does. */
  certify(sealedKey: string, person: DecidedPerson): Promise<Omit<SignedCertificate, 'purpose'>>;
  /** A list of all that this agent knows to be revoked. Throws as `sign` does. */
  list(sealedKey: string): Promise<RevocationListRecord>;
  /** Seals the issuing key to others; a sealing certificate that can't be trusted is left out. */
  share(
    sealedKey: string,
    to: readonly { readonly node: NodeName; readonly chainPem: string }[],
  ): Promise<readonly { readonly node: NodeName; readonly sealed: string }[]>;
}
