/**
 * Gives TypeORM a pool that is there, since it makes its own from what it is told as `driver`.
 *
 * Invariant: each pool that a DataSource makes of this driver is the given one, whatever the DataSource says of hosts and
 * sizes. It ends with the DataSource.
 */
import type { ClusterPool } from '../cluster-pool.ts';

/** For `new DataSource({ type: 'postgres', driver: typeormDriver(db), ... })`, without `replication`. */
export function typeormDriver(db: ClusterPool): { readonly Pool: new (options: unknown) => unknown } {
  class Pool {
    constructor(_options: unknown) {
      // biome-ignore lint/correctness/noConstructorReturn: TypeORM calls it with `new`
      return db;
    }
  }
  return { Pool };
}
