/**
 * What a declaration says of durability: whom a commit waits for, what happens without them, and how much may be lost.
 *
 * What is declared is only a wish. What elections rest on is the durability record (durability.ts), which the holder
 * brings there one safe step at a time; while the two differ, `status` says so.
 */
export interface DurabilitySpec {
  /**
   * What a transaction waits for that asks for nothing: `local`, the primary's own disk; `sync`, `k` standbys as well.
   * Either way a transaction may ask for the other (`synchronous_commit`).
   */
  readonly commit: 'local' | 'sync';
  /** How many standbys a replicated commit waits for. */
  readonly k: number;
  /** With fewer than `k` standbys there, replicated commits wait for them; or for as many as there are, down to none. */
  readonly withoutStandby: 'wait' | 'degrade';
  /**
   * Nobody can be elected because too few are heard: for how long the cluster waits, in ms from when the lease is free,
   * before it goes on without what only the unheard may have. `null`: until a person decides.
   */
  readonly acceptLossAfterMs: number | null;
}

export interface FailoverSpec {
  /** Who is known to lack more than this takes over by no failover, in bytes; `null`: no limit. */
  readonly lossLimitBytes: number | null;
}

export const defaultDurability: DurabilitySpec = {
  commit: 'local',
  k: 1,
  withoutStandby: 'wait',
  acceptLossAfterMs: null,
};

/**
 * A standby that streams is behind by far less; one that is not any more would cost more than most would lose unasked.
 * Where every commit is replicated, what a standby lacks was acknowledged to nobody.
 */
export function defaultFailover(commit: DurabilitySpec['commit']): FailoverSpec {
  return { lossLimitBytes: commit === 'sync' ? null : 16 * 1024 * 1024 };
}
