/** How the cluster is, as this process believes: for a banner, a health page, a log. */
import type { ServerBelief } from './routing/eligible.ts';
import type { Mode } from './topology/mode.ts';

export interface ClusterStatus {
  readonly mode: Mode;
  readonly because: string;
  /** Who says so: the agent of this host, or the pool's own questions and experience. */
  readonly source: 'agent' | 'probes';
  /** `null`: not known, or there is none. */
  readonly primary: string | null;
  /** Those that reads may go to. */
  readonly servers: readonly ServerBelief[];
  /** Transactions that were left undone since nobody could write (`onReadOnly: 'drop'`), since the pool was made. */
  readonly dropped: number;
}
