/**
 * What the agent asks of the fence: a separate process that kills PostgreSQL at a deadline, whatever becomes of the
 * agent.
 *
 * Invariant: a renewal counts only once the fence has confirmed its deadline, and everything that makes a server
 * writable passes through the fence, which looks at its deadline at that moment. Calls throw FENCE_UNREACHABLE when the
 * fence does not confirm, and REFUSED when it says no.
 */
/** A process by its id and the time of its start, so that a reused id is never taken for it. */
export interface FencedProcess {
  readonly pid: number;
  readonly startTicks: number;
}

export interface PrimaryStart {
  readonly program: string;
  readonly args: readonly string[];
  readonly directory: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly logFile: string;
}

export interface Fence {
  /** Never backwards within a term; a lower term than the fence knows is refused. Times on the boottime clock, in ms. */
  extend(term: number, deadlineMs: number): Promise<void>;
  /** Forgets the deadline: from now on nothing becomes writable before a fresh `extend`. Comes before every release. */
  drop(): Promise<void>;
  /** Starts a server that will be writable. Refused without a deadline ahead. */
  startPrimary(start: PrimaryStart): Promise<FencedProcess>;
  /** Tells a standby to promote itself. Refused without a deadline ahead. */
  promote(postmaster: FencedProcess): Promise<void>;
  close(): void;
}
