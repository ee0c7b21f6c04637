/** Time and chance, as arguments. */
export interface Runtime {
  /** Monotonic, in ms. */
  nowMs(): number;
  /** Since 1970, in ms: only for what outlives the process. */
  wallMs(): number;
  /** From 0 to below 1. */
  draw(): number;
  /** Ends early when the signal fires; never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const realRuntime: Runtime = {
  nowMs: () => performance.now(),
  wallMs: () => Date.now(),
  draw: () => Math.random(),
  sleep(ms, signal) {
    return new Promise((resolve) => {
      if (signal?.aborted === true) {
        resolve();
        return;
      }
      const end = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', end);
        resolve();
      };
      const timer = setTimeout(end, ms);
      signal?.addEventListener('abort', end, { once: true });
    });
  },
};
