/**
 * Connections to whoever may be written to, for this library's own use: they mark no session.
 *
 * Invariant: every wait for one ends by its deadline, and a connection that comes too late goes back. A question to the
 * primary is begun after whoever needs the answer asked for it; those who ask meanwhile share the next.
 */
import type { PoolClient } from 'pg';
import { type Position, parseSelf, primaryQuery, type Self } from '../positions/position.ts';
import { Deadline } from '../timing/deadline.ts';
import { SharedQuestion } from '../timing/shared-question.ts';

/** As `pg.Pool` gives it, with its own deadline if the pool has one. */
export type Connect = () => Promise<PoolClient>;

export class PrimaryAccess {
  readonly #connect: Connect;
  readonly #askWithinMs: number;
  readonly #question = new SharedQuestion(() => this.#askOnce());

  constructor(connect: Connect, askWithinMs: number) {
    this.#connect = connect;
    this.#askWithinMs = askWithinMs;
  }

  /** Rejects as `pg` does, or with the deadline's reason. */
  async checkOut(time: Deadline): Promise<PoolClient> {
    time.throwWhenOver();
    return await new Promise((resolve, reject) => {
      let isLate = false;
      const forget = time.onOver(() => {
        isLate = true;
        reject(time.reason);
      });
      this.#connect().then(
        (client) => {
          forget();
          // Nobody waits for it any more.
          if (isLate) client.release();
          else resolve(client);
        },
        (error: unknown) => {
          forget();
          reject(error);
        },
      );
    });
  }

  async checkOutWithin(ms: number): Promise<PoolClient> {
    const time = new Deadline(ms);
    try {
      return await this.checkOut(time);
    } finally {
      time.clear();
    }
  }

  /** Destroys the connection when the work fails, or the signal fires. */
  async with<T>(time: Deadline, work: (client: PoolClient) => Promise<T>): Promise<T> {
    const client = await this.checkOut(time);
    const forget = time.onOver(() => client.connection.stream.destroy());
    client.on('error', ignore);
    let isSound = false;
    try {
      const result = await work(client);
      isSound = true;
      return result;
    } finally {
      forget();
      client.off('error', ignore);
      client.release(!isSound);
    }
  }

  /** Where the primary is now or later; `null`: it did not say, or is none. */
  async position(): Promise<Position | null> {
    const self = await this.ask();
    return self?.role === 'primary' ? self.position : null;
  }

  async ask(): Promise<Self | null> {
    return await this.#question.answer();
  }

  async #askOnce(): Promise<Self | null> {
    const time = new Deadline(this.#askWithinMs);
    try {
      return await this.with(time, async (client) => {
        const { rows } = await client.query(primaryQuery);
        return parseSelf(rows[0]);
      });
    } catch {
      // Nobody answers in time: then nothing is known, and that is the answer.
      return null;
    } finally {
      time.clear();
    }
  }
}

/** What befalls a connection is told by the query under way. */
function ignore(): void {}
