/**
 * Named durations of the waits between processes, and the policies by which something is tried again. Data only.
 *
 * What belongs to the lease stands in core/lease.ts, what the operator declares in core/spec.ts.
 */
export interface RetryPolicy {
  /** Wait before the second attempt, in ms; doubled with each further one. */
  readonly firstPauseMs: number;
  readonly longestPauseMs: number;
  /** After this long, in ms, no new attempt is begun. `null`: until cancelled. */
  readonly giveUpAfterMs: number | null;
}

export const durations = {
  /** For one request at one endpoint. A put through a gateway hung for 7 s after its leader's death; the next endpoint answered. */
  storeEndpointMs: 450,
  /** Once every endpoint has failed: an election of the store takes about a second. */
  storeRoundPauseMs: 100,
  /** More silence than this on a watch, and it is made anew elsewhere: a stream to a frozen member is silent for ever. */
  storeWatchSilentMs: 2_000,
} as const;

export const retryPolicies = {
  /** Something on this host that must be there soon: a socket, a file, a child's first answer. */
  local: { firstPauseMs: 5, longestPauseMs: 100, giveUpAfterMs: 10_000 },
  /** Another node that may be restarting. */
  peer: { firstPauseMs: 100, longestPauseMs: 2_000, giveUpAfterMs: null },
} as const satisfies Record<string, RetryPolicy>;
