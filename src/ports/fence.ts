/**
 * What the agent asks of the fence: a separate process that kills PostgreSQL at a deadline, whatever becomes of the
 * agent.
 *
 * Invariant: a renewal counts only once the fence has confirmed its deadline, and everything that makes a server
 * writable passes through the fence, which looks at its deadline at that moment. Calls throw FENCE_UNREACHABLE when the
 * fence does not confirm, and REFUSED when it says no. Times are on the boottime clock of this host, in ms.
 */
/** A process by its id and the time of its start, so that a reused id is never taken for it. */
export interface FencedProcess {
  readonly pid: number;
  readonly startTicks: number;
}

export interface PrimaryStart {
  readonly program: string;
  readonly args: readonly string[];
  /** PostgreSQL's data directory; the fence refuses any other than its own. */
  readonly directory: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly logFile: string;
}

/** A standby starts with the same things; that it is one stands in its data directory (`standby.signal`). */
export type StandbyStart = PrimaryStart;

export interface Fence {
  /** Never backwards within a term; refused for a lower term than the fence knows, and for a time that is over. */
  extend(term: number, deadlineMs: number): Promise<void>;
  /**
   * Forgets the deadline: from now on nothing becomes writable before a fresh `extend`. Comes before every release.
   * Refused while a server runs that is no standby: with it, the right to it would be given away.
   */
  drop(): Promise<void>;
  /** Starts a server that will be writable. Refused without a deadline ahead. */
  startPrimary(start: PrimaryStart): Promise<FencedProcess>;
  /** Tells a standby to promote itself. Refused without a deadline ahead. */
  promote(postmaster: FencedProcess): Promise<void>;
  close(): void;
}

export interface FenceStatus {
  readonly process: FencedProcess;
  readonly highestTerm: number;
  /** `confirmed` is `false` for one that was taken over from a fence that died: it kills and permits nothing. */
  readonly deadline: { readonly term: number; readonly atMs: number; readonly confirmed: boolean } | null;
  /** Why everything is being killed now; `null` when nothing is. */
  readonly striking: string | null;
  /** The last time that everything was killed and proven gone. */
  readonly struck: { readonly because: string; readonly goneAtMs: number; readonly killed: number } | null;
  readonly server: 'none' | 'standby' | 'primary' | 'remnants';
  readonly watchdog: 'none' | 'resting' | 'armed' | 'failed';
  /** oom_score_adj: -1000 means that the kernel never kills it for memory. */
  readonly oomScore: number;
}

/** What the agent besides wants to know of its fence. */
export interface WatchedFence extends Fence {
  /**
   * Starts a standby, at any time but while a server is being killed. In the same step the deadline is forgotten, as by
   * `drop`: a standby must not be killed for a lease that its node no longer has.
   */
  startStandby(start: StandbyStart): Promise<FencedProcess>;
  status(): Promise<FenceStatus>;
  /** The same without starting one: `null` when none answers. Never throws. */
  peek(): Promise<FenceStatus | null>;
  /**
   * Called at once when the fence is gone. By then a new one is being started, which gets the deadline that the old one
   * had confirmed; until it has, no renewal counts. Answers how to stop listening.
   */
  onLost(listener: (because: string) => void): () => void;
}
