/** Full jitter: anything between nothing and a bound that doubles, so that many who failed together don't come back together. */
export interface Backoff {
  readonly baseMs: number;
  readonly capMs: number;
}

/** How long to wait before attempt `failed + 1`, in ms. `draw` is from 0 to below 1. */
export function fullJitterMs({ baseMs, capMs }: Backoff, failed: number, draw: number): number {
  return draw * Math.min(capMs, baseMs * 2 ** Math.min(failed - 1, 30));
}
