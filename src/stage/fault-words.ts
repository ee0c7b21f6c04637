/** The words in which a fault is ordered; read by the command line before anything else is loaded. */

/** `postgres`: the postmaster with all its backends; `all`: everything that runs on the host. */
export const processTargets = ['agent', 'postmaster', 'postgres', 'fence', 'pgbouncer', 'store', 'all'] as const;
export type ProcessTarget = (typeof processTargets)[number];

export type Direction = 'in' | 'out';

interface OrderBase {
  readonly node: string;
  /** How long, in ms; `null`: until it is healed. */
  readonly forMs: number | null;
}

export type FaultOrder =
  | (OrderBase & { readonly fault: 'kill' | 'freeze'; readonly what: ProcessTarget })
  | (OrderBase & {
      readonly fault: 'partition';
      /** Hosts by name, or `all`, `store`, `peers`. */
      readonly from: readonly string[];
      /** The direction that is closed, as the node sees it; `null`: both. */
      readonly oneWay: Direction | null;
    })
  | (OrderBase & { readonly fault: 'fill' | 'freeze-disk' });
