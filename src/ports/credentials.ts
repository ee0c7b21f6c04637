/** Where the passwords of applications come from on a database node, and where they are opened on an app node. */
import type { SealedCredential } from '../core/credential.ts';
import type { ApplicationName, NodeName } from '../core/spec.ts';

export interface FreshCredential {
  /** For the server: `SCRAM-SHA-256$…`. */
  readonly verifier: string;
  readonly verifierDigest: string;
  readonly sealed: string;
}

export interface CredentialMaker {
  /** Those that something can be sealed to now. */
  sealable(): ReadonlySet<NodeName>;
  /** A random password, sealed to that node for that application. Throws SEALING_FAILED. */
  make(node: NodeName, application: ApplicationName): FreshCredential;
}

export interface CredentialKeeper {
  /** Exactly these from now on; still sealed, they outlive the process where the disk takes them. */
  keep(credentials: readonly SealedCredential[]): void;
  /** Those that were kept last. */
  readonly kept: readonly SealedCredential[];
  /** `null`: it is not there, or can't be opened; `trouble` says why. One application's trouble is not another's. */
  passwordOf(application: ApplicationName, generation: number): string | null;
  /** What is wrong with any of them; `null`: nothing that is known. */
  readonly trouble: string | null;
}
