/**
 * The topology as it goes over the wire: which node is primary, which standbys can serve reads, and whether
 * writes are being paused. Database agents send it, poolers' agents and application libraries read it.
 *
 * Invariant for readers: never act on a topology of a lower term than one already acted on.
 */
export interface TopologyMember {
  readonly node: string;
  /** The name to verify in the server's certificate. */
  readonly hostName: string;
  readonly address: string;
  readonly port: number;
  /** Of its PostgreSQL; `null` when that is not known. */
  readonly timeline: number | null;
  /** As declared; `null`: not, or an agent of an earlier version does not say. */
  readonly datacenter: string | null;
}

export interface TopologyPrimary extends TopologyMember {
  /** Confirmed by the holder of the lease itself: this address accepts writes in this term. */
  readonly writable: boolean;
}

export interface TopologyStandby extends TopologyMember {
  readonly streaming: boolean;
  /** Bytes behind the primary; `null` when unknown. */
  readonly lagBytes: number | null;
}

export interface TopologyPause {
  readonly operation: string;
  /** The term in which the pause began; poolers resume towards this term or a higher one. */
  readonly term: number;
  /** Poolers that the operator left out of this pause. */
  readonly without: readonly string[];
  /** How long a pooler may stay paused for this operation, in ms from when it paused. */
  readonly limitMs: number;
}

export interface Topology {
  readonly version: 1;
  readonly cluster: string;
  /** The database node that says this. */
  readonly from: string;
  /** Of the lease; 0 before the first. */
  readonly term: number;
  readonly primary: TopologyPrimary | null;
  readonly standbys: readonly TopologyStandby[];
  /** Writes are to be paused now; `null`: not, or no longer. */
  readonly pause: TopologyPause | null;
  /** Declared by an operator: nobody may write for now, and poolers serve writers from standbys. */
  readonly readOnly: boolean;
  /** The last operation that ended, so that a pooler knows its pause is over. */
  readonly ended: string | null;
  /** Age of the store's answer behind this, in ms when it was sent; `null` when the store was never reached. */
  readonly ageMs: number | null;
}
