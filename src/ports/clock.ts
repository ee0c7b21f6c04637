/** Time as an argument: the loop, the retry policies and the executor know no other clock. */
export interface Clock {
  /** Milliseconds since boot, counting on through suspend; comparable only on the same host and boot. */
  boottimeMs(): number;
  /** For people and log lines only; no decision rests on it. */
  wallClock(): Date;
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}
