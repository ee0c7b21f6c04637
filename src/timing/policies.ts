/**
 * Named durations of the waits between processes. Data only.
 *
 * What belongs to the lease stands in core/lease.ts, what the operator declares in core/spec.ts.
 */
export const durations = {
  /** For one request at one endpoint. A put through a gateway hung for 7 s after its leader's death; the next endpoint answered. */
  storeEndpointMs: 450,
  /** Once every endpoint has failed: an election of the store takes about a second. */
  storeRoundPauseMs: 100,
  /** More silence than this on a watch, and it is made anew elsewhere: a stream to a frozen member is silent for ever. */
  storeWatchSilentMs: 2_000,
} as const;
