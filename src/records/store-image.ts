/** All that the store says, parsed; image-changes.ts folds it. */
import type { AuditAnchor } from '../core/audit-anchor.ts';
import type { AuthorityRecord } from '../core/authority.ts';
import type { BackupRun, RepositoryRecord } from '../core/backup-run.ts';
import type { CertificateRecord } from '../core/certificates.ts';
import type { Stored, StoreView } from '../core/cluster-view.ts';
import type { EnrolmentToken } from '../core/enrolment.ts';
import type { Receipt } from '../core/receipt.ts';
import type { RegisteredCertificate } from '../core/registered.ts';
import type { RevocationListRecord, RevocationRecord } from '../core/revocation.ts';
import type { NodeName } from '../core/spec.ts';
import type { TrustRecord } from '../core/trust-record.ts';
import type { EventRecord } from '../events/catalogue.ts';
import type { Records } from './codecs.ts';

/** What `ClusterView` has of the store, without when it was looked at and what follows from it; and what agents need beside their decisions. */
export interface StoreImage extends Omit<StoreView, 'readAtMs' | 'confirmedAtMs' | 'leaseSeenAtMs' | 'shutOut'> {
  /** The newest revision that is part of it. */
  readonly revision: number;
  /** The issuing authority in use, not yet verified. */
  readonly authority: Stored<AuthorityRecord> | null;
  /** Which roots are to be trusted, not yet verified. */
  readonly trust: Stored<TrustRecord> | null;
  /** Which statement of them each node goes by that has access to the store. */
  readonly trusting: ReadonlyMap<NodeName, Stored<Records['trusting']>>;
  /** Sealed texts as they stand there, by `node/name`: only whom they are for can tell whether they are whole. */
  readonly secrets: ReadonlyMap<string, Stored<string>>;
  /** By serial number. */
  readonly certificates: ReadonlyMap<string, Stored<CertificateRecord>>;
  /** Of others, by the name that they were registered under. */
  readonly registered: ReadonlyMap<string, Stored<RegisteredCertificate>>;
  /** By serial number. */
  readonly revocations: ReadonlyMap<string, Stored<RevocationRecord>>;
  /** By the authority's serial number; not yet verified. */
  readonly revocationLists: ReadonlyMap<string, Stored<RevocationListRecord>>;
  /** By which nodes may enrol. */
  readonly tokens: ReadonlyMap<NodeName, Stored<EnrolmentToken>>;
  /** The work on the repository that is under way, or was the last. */
  readonly backupRun: Stored<BackupRun> | null;
  /** The last of each kind that ended. */
  readonly endedRuns: ReadonlyMap<string, Stored<BackupRun>>;
  readonly repository: Stored<RepositoryRecord> | null;
  readonly audits: ReadonlyMap<NodeName, Stored<AuditAnchor>>;
  /** Oldest first. */
  readonly events: readonly EventRecord[];
  readonly receipts: readonly Receipt[];
  /** Each key's last change, removals included. */
  readonly changed: ReadonlyMap<string, number>;
  /** Those of them that are gone. */
  readonly removed: ReadonlySet<string>;
}

export function emptyImage(): StoreImage {
  return {
    revision: 0,
    spec: null,
    cluster: null,
    lease: null,
    renewal: null,
    operation: null,
    durability: null,
    handsOff: null,
    readOnly: null,
    acceptedLoss: null,
    authority: null,
    trust: null,
    trusting: new Map(),
    ballots: new Map(),
    timelines: new Map(),
    members: new Map(),
    poolers: new Map(),
    audits: new Map(),
    sealing: new Map(),
    secrets: new Map(),
    certificates: new Map(),
    registered: new Map(),
    revocations: new Map(),
    revocationLists: new Map(),
    tokens: new Map(),
    backupRun: null,
    endedRuns: new Map(),
    repository: null,
    credentials: new Map(),
    events: [],
    receipts: [],
    unreadable: [],
    changed: new Map(),
    removed: new Set(),
  };
}
