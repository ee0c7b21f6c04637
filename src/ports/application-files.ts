/** What an app node's agent asks of the files by which applications reach their pooler. */
import type { ApplicationName, ApplicationSpec, NodeName } from '../core/spec.ts';

export interface WantedFiles {
  /** Where the pooler listens. */
  readonly listenAddress: string;
  readonly port: number;
  /** Those that run on this node; nobody else has files. */
  readonly applications: readonly ApplicationSpec[];
  /** Every database node of the declaration. */
  readonly databaseNodes: readonly NodeName[];
  /** Which of its passwords the pooler takes, as far as is known. */
  readonly clientPasswords: Readonly<Record<ApplicationName, number>>;
}

export interface ApplicationFiles {
  /**
   * Makes them as they are wanted, and takes away those of applications that left. Answers what is wrong, or `null`; never
   * rejects. One at a time.
   */
  keep(wanted: WantedFiles): Promise<string | null>;
  /**
   * Takes all of them away: this node is none of the cluster's any more. What the pooler knows its clients by stays, as long
   * as it goes on. Answers as `keep` does.
   */
  leave(): Promise<string | null>;
}
