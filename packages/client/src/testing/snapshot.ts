/**
 * The database as it was at one moment, held so that others can go on reading it (documentation 9.28.5, snapshot
 * synchronization). It is of one database, and of no other.
 *
 * Invariant: the position is not beyond what the snapshot shows: every commit that was answered with this position or an
 * earlier one is visible in it. It is not let go while somebody is about to take it.
 */
import pg from 'pg';
import { formatLsn, type Lsn, parseLsn } from '../positions/lsn.ts';

export class Snapshot {
  readonly id: string;
  /** Such as `0/16B3748`. */
  readonly lsn: string;
  readonly #holder: pg.Client;
  #takers = 0;
  #untaken: (() => void) | null = null;

  private constructor(id: string, lsn: string, holder: pg.Client) {
    this.id = id;
    this.lsn = lsn;
    this.#holder = holder;
  }

  /** On a connection of its own. Rejects as `pg` does. */
  static async take(connection: pg.ClientConfig): Promise<Snapshot> {
    const holder = new pg.Client({ ...connection, application_name: 'understudy fake cluster' });
    // Whoever ends it by hand is told by the next reader's error.
    holder.on('error', () => undefined);
    await holder.connect();
    try {
      await holder.query(
        "SELECT set_config(name, '0', false) FROM pg_settings WHERE name LIKE '%\\_timeout' AND context = 'user'",
      );
      // Before the snapshot: the other way round, what is committed in between would seem to be shown.
      const before = await holder.query<{ lsn: string }>('SELECT pg_current_wal_insert_lsn()::text AS lsn');
      await holder.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
      const { rows } = await holder.query<{ id: string; quiet: boolean }>(
        'SELECT pg_export_snapshot() AS id, pg_snapshot_xmin(s) = pg_snapshot_xmax(s) AS quiet FROM pg_current_snapshot() s',
      );
      const lsn = parseLsn(before.rows[0]?.lsn);
      const [row] = rows;
      if (lsn === null || row === undefined) throw new Error('the server does not say where it is');
      return new Snapshot(row.id, row.quiet ? formatLsn(lsn) : shortOf(lsn), holder);
    } catch (error) {
      await holder.end();
      throw error;
    }
  }

  /** How a transaction that has not read yet is put under it. */
  get imported(): string {
    return `SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY; SET TRANSACTION SNAPSHOT '${this.id}'`;
  }

  /** Somebody is about to take it, and calls what this answers once that is over. */
  reserve(): () => void {
    this.#takers += 1;
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      this.#takers -= 1;
      if (this.#takers === 0) this.#untaken?.();
    };
  }

  async release(): Promise<void> {
    if (this.#takers > 0) {
      await new Promise<void>((resolve) => {
        this.#untaken = resolve;
      });
    }
    await this.#holder.end();
  }
}

/** Somebody was committing: its record may be written up to there, and the snapshot not show it yet. */
function shortOf(lsn: Lsn): string {
  const before = lsn - 1n;
  return `${(before >> 32n).toString(16)}/${(before & 0xffffffffn).toString(16)}`.toUpperCase();
}
