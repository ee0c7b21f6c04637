/**
 * The processes of one run of a simulated PostgreSQL server, and what they know: nothing of it outlives them.
 *
 * Invariant: who is stopped by a signal goes on only when everybody who stopped it has let go, and never when it was
 * killed meanwhile.
 */
import { nobody, type SyncSet } from '../../core/durability.ts';
import type { NodeName } from '../../core/spec.ts';
import type { ReplicationStream } from './replication-stream.ts';

export type CommitOutcome = 'committed' | 'refused' | 'read-only' | 'broken';

export interface Commit {
  readonly row: number;
  /** Did its transaction ask for a replicated commit? */
  readonly replicated: boolean;
  answer(outcome: CommitOutcome): void;
}

export interface WaitingCommit {
  readonly commit: Commit;
  readonly position: number;
}

export class ServerProcess {
  readonly pid: number;
  role: 'primary' | 'standby';
  phase: 'starting' | 'ready' | 'stopping' = 'starting';
  hasPostmaster = true;
  /** Who stops which of its processes by a signal; several add up. */
  readonly holds = new Set<{ readonly what: 'postmaster' | 'all' }>();
  /** What each kind of process has read of `synchronous_standby_names`. */
  sync: { sessions: SyncSet; walsenders: SyncSet; checkpointer: SyncSet } = {
    sessions: nobody,
    walsenders: nobody,
    checkpointer: nobody,
  };
  receiver: ReplicationStream | null = null;
  /** Received by this process: only then is the receive position one. */
  hasReceived = false;
  isConnecting = false;
  replayed: number;
  replayPaused = false;
  cannotStream: 'wal-removed' | 'diverged' | null = null;
  readonly streams = new Map<NodeName, ReplicationStream>();
  waiting: WaitingCommit[] = [];
  backlog: (() => void)[] = [];
  /** Killed, and held by its disk. */
  isDoomed = false;

  constructor(pid: number, role: 'primary' | 'standby', replayed: number) {
    this.pid = pid;
    this.role = role;
    this.replayed = replayed;
  }

  get freeze(): 'none' | 'postmaster' | 'all' {
    if (this.isDoomed || [...this.holds].some(({ what }) => what === 'all')) return 'all';
    return this.holds.size > 0 ? 'postmaster' : 'none';
  }

  get isStill(): boolean {
    return this.freeze === 'all';
  }
}
