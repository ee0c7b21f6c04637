/** What keeping own certificates needs of the world: their files on this node, and the programs that take them up. */
import type { CertificateLife } from '../core/rules/certificate-renewal.ts';
import type { OwnCertificateSpec } from '../core/spec.ts';

export interface PlacedCertificate {
  readonly life: CertificateLife;
  /** The hook has succeeded since it was put there, or there was none. */
  readonly isTakenUp: boolean;
}

export interface OwnCertificateFiles {
  /** `null`: there is none as it is wanted, whole and untouched; another one must be asked for. */
  look(wanted: OwnCertificateSpec): PlacedCertificate | null;
  /** A new key, which stays in memory until its certificate has come, and a signing request for it, in PEM. */
  request(wanted: OwnCertificateSpec): string;
  /** Puts the chain and its key in the place of the former ones. Throws CERTIFICATE_REFUSED, FORBIDDEN, CONFIG_INVALID, NOT_FOUND. */
  put(wanted: OwnCertificateSpec, chain: string): Promise<void>;
  /** Has it taken up by the declared hook. Throws CONFIG_INVALID for a hook that must not be run, PROCESS_FAILED, TIMEOUT. */
  takeUp(wanted: OwnCertificateSpec): Promise<void>;
  /** Names of all that lie here. */
  placed(): readonly string[];
  /** Takes its files away. Throws what the file system says. */
  remove(name: string): void;
}
