/** Which roots a cluster trusts, and from which it issues: said by a root, and taken over by every node. */
import type { NodeName } from './spec.ts';

/** As it stands in the store: whoever writes it can't make one up. */
export interface TrustRecord {
  /** Counts up; nobody goes back. */
  readonly number: number;
  /** JSON, exactly as it was signed. */
  readonly document: string;
  /** Of a root that whoever reads it trusts already; base64url. */
  readonly signature: string;
}

/** What it says. */
export interface TrustStatement {
  readonly number: number;
  /** PEM: one root, or two during a rollover. */
  readonly rootsPem: string;
  /** SHA-256 of the root on which certificates shall rest from now on. */
  readonly issueFrom: string;
}

export type JudgedTrust =
  | { readonly ok: true; readonly statement: TrustStatement }
  | { readonly ok: false; readonly because: string };

export interface TrustState {
  readonly record: TrustRecord | null;
  /** Of each declared node, what it has taken over; `null`: nothing yet, as far as is known. */
  readonly nodes: readonly { readonly node: NodeName; readonly number: number | null }[];
  /** What rests on another root than certificates shall, in words. */
  readonly resting: readonly string[];
}
