/**
 * What `status` shows, as agents answer it and everybody else reads it. How it comes about: status-summary.ts.
 *
 * Invariant: what is not known is `unknown`, `null` or absent, and never looks like something that was seen.
 */
import type { AuthorityPartStatus } from './authority.ts';
import type { Proven } from './backups/proof.ts';
import type { RecoverableWindow } from './backups/window.ts';
import type { MemberPostgres, ReadOnlyOrder } from './cluster-view.ts';
import type { DurabilitySpec } from './declared-durability.ts';
import type { Forecast } from './forecast.ts';
import type { PendingRestart } from './local-postgres.ts';
import type { Operation } from './operation.ts';
import type { PoolerReport } from './pooler-report.ts';
import type { Reachable } from './reach.ts';
import type { RegisteredCertificate } from './registered.ts';
import type { NodeName, NodeRole } from './spec.ts';

export interface SlotStatus {
  readonly name: string;
  readonly active: boolean;
  readonly walStatus: string;
  /** WAL it holds back on the primary, in bytes. */
  readonly heldBytes: number | null;
}

export interface NodeStatus {
  readonly node: NodeName;
  readonly role: NodeRole;
  readonly address: string;
  readonly datacenter: string | null;
  readonly priority: number;
  readonly failover: 'allowed' | 'never';
  /** As declared: what it replays is so much older, and no lag. Absent from older agents. */
  readonly applyDelayMs?: number | null | undefined;
  /** Did its status counter change lately, as this agent saw it? */
  readonly reachable: Reachable;
  readonly postgres: MemberPostgres | null;
  /** While its agent is not heard `postgres` is of the past: the state it was last seen in. Absent from older agents. */
  readonly lastSeenAs?: MemberPostgres['state'] | null | undefined;
  readonly serverVersion: string | null;
  readonly lagBytes: number | null;
  readonly lagS: number | null;
  readonly slot: SlotStatus | null;
  readonly pendingRestart: readonly PendingRestart[];
  readonly specRevision: number | null;
  readonly unconverged: readonly string[];
  readonly agentVersion: string | null;
  readonly trouble: string | null;
}

export interface PoolerStatus {
  readonly node: NodeName;
  readonly reachable: Reachable;
  readonly report: PoolerReport | null;
}

/** What is declared, and what elections rest on now. */
export interface DurabilityStatus {
  readonly commit: DurabilitySpec['commit'];
  readonly declaredK: number;
  /** A replicated commit waits for `k` of these. */
  readonly k: number;
  readonly standbys: readonly NodeName[];
  /** Fewer than declared, since too few are there. */
  readonly degraded: boolean;
}

export type Verdict = 'HEALTHY' | 'DEGRADED' | 'DOWN' | 'STARTING';

/** The automation is inert for so long; see core/hands-off.ts. */
export interface HandsOffStatus {
  readonly by: string;
  readonly at: string;
  readonly leftMs: number;
}

export interface ClusterStatus {
  readonly cluster: string;
  readonly verdict: Verdict;
  /** Why it is not HEALTHY, most important first. */
  readonly because: readonly string[];
  /** Which agent's view this is. */
  readonly from: NodeName;
  readonly term: number | null;
  readonly timeline: number | null;
  readonly primary: NodeName | null;
  readonly specRevision: number | null;
  readonly storeAgeMs: number | null;
  readonly nodes: readonly NodeStatus[];
  readonly poolers: readonly PoolerStatus[];
  readonly operation: Operation | null;
  /** `null`: hands are on. */
  readonly handsOff: HandsOffStatus | null;
  /** While nobody may write by an order. */
  readonly readOnly: ReadOnlyOrder | null;
  readonly lastReceipt: string | null;
  /** Absent from an agent of an older version, like what follows. */
  readonly durability?: DurabilityStatus | null | undefined;
  readonly ifPrimaryDied?: Forecast | null | undefined;
  /** The present term began with a loss that somebody accepted. */
  readonly acceptedLoss?: AcceptedLossStatus | null | undefined;
  /** `null`: none are declared. */
  readonly backups?: BackupsStatus | null | undefined;
  /** How long root and issuing authority are good. */
  readonly authority?: readonly AuthorityPartStatus[] | undefined;
  /** Certificates of others whose end is told. */
  readonly registered?: readonly Pick<RegisteredCertificate, 'name' | 'where' | 'issuedAt' | 'expiresAt'>[] | undefined;
}

/** Of the past that can be opened, and of what is to be done for it. */
export interface BackupsStatus {
  /** `null`: not known yet. */
  readonly window: RecoverableWindow | null;
  /** When the newest commit was made that is known to be in the repository; `null`: none is known. */
  readonly safeUntil: string | null;
  /** What is wrong: these stand in the cluster's `because`, too. */
  readonly troubles: readonly string[];
  /** The last proof that it can be restored; `null`: there was none. Absent from an agent of an older version. */
  readonly proven?: Proven | null | undefined;
  readonly todo: readonly string[];
}

/** At least `lacksBytes` are gone; what else was committed after `afterLsn` nobody knows. */
export interface AcceptedLossStatus {
  readonly by: string;
  readonly lacksBytes: number;
  readonly afterLsn: string;
}
