/** The fence's messages: one line of JSON each way, answered in order. */
import type { PrimaryStart } from '../ports/fence.ts';
import type { ProcessIdentity } from '../process/identity.ts';

export type FenceRequest =
  | { readonly do: 'extend'; readonly term: number; readonly atMs: number }
  | { readonly do: 'drop' }
  | { readonly do: 'start'; readonly start: PrimaryStart }
  | { readonly do: 'promote'; readonly postmaster: ProcessIdentity };

export type FenceAnswer =
  | { readonly ok: true; readonly process?: ProcessIdentity }
  | { readonly ok: false; readonly because: string };

/** What the fence is started with: its arguments. */
export interface FenceArguments {
  readonly socket: string;
  /** PostgreSQL's data directory: whoever works in it is killed at the deadline. */
  readonly data: string;
  /** Where it keeps its deadline, for a fence that comes after it. */
  readonly memory: string;
}
