/** What taking over roots needs of the world: the files of this node, and a judge of what was said. */
import type { JudgedTrust, TrustRecord, TrustStatement } from '../core/trust-record.ts';

export interface RootFiles {
  /** The last that was taken over here; `null`: none. */
  taken(): TrustStatement | null;
  /** By what is trusted here now. */
  judge(record: TrustRecord): JudgedTrust;
  /** Of this node's own certificates, those that would be trusted by nobody any more. */
  orphans(rootsPem: string): readonly string[];
  /** Replaces the roots in every file of this node that holds the cluster's, and remembers what was taken over. */
  put(statement: TrustStatement): Promise<void>;
}

/** Tells on which root something rests, as SHA-256; `null`: on none that is trusted here. */
export interface RootReader {
  ofSealed(text: string): string | null;
}
