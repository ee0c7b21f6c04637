/** Databases, and the passwords by which poolers log in to them: what may be ordered, and what is listed. */
import type { ClientPasswordUse } from '../../core/pooler-report.ts';
import type { ApplicationName, NodeName } from '../../core/spec.ts';

export interface RevertRequest {
  /** As `databases` names it; `null`: everything that was changed by hand. */
  readonly name: string | null;
}

export interface DropRequest {
  readonly name: string;
}

export interface DropAnswer {
  readonly database: string;
  /** What went with it. */
  readonly roles: readonly string[];
  /** What has something in another database. */
  readonly kept: readonly string[];
}

export interface RotationRequest {
  /** `null`: all. */
  readonly application: ApplicationName | null;
  readonly node: NodeName | null;
  /** `login`: by which poolers log in at the servers; `client-password`: by which applications log in at their poolers. */
  readonly what: 'login' | 'client-password';
  /** Of clients' passwords: also where clients are connected by the one that would end. */
  readonly force: boolean;
}

export interface RotationAnswer {
  readonly ordered: readonly {
    readonly application: ApplicationName;
    readonly node: NodeName;
    /** The one that is to come. */
    readonly generation: number;
  }[];
}

export interface CredentialListing {
  readonly application: ApplicationName;
  readonly node: NodeName;
  /** `null`: there is none yet. */
  readonly generation: number | null;
  readonly wanted: number | null;
  /** That all server connections of the node's pooler are of; `null`: not known. */
  readonly inUse: number | null;
  readonly issuedAt: string | null;
  readonly issuedBy: NodeName | null;
  /** Has the node published a certificate that a password can be sealed for? */
  readonly isSealable: boolean;
  /** The application's passwords at the pooler; `null`: there is no credential yet. */
  readonly clientPassword: {
    readonly wanted: number;
    /** `null`: not known. */
    readonly inUse: ClientPasswordUse | null;
  } | null;
}
