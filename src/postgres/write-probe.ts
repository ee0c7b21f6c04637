/**
 * One attempt to do what a primary is there for: log in anew and have a record flushed (core/write-probe.ts).
 *
 * The record is a logical message of a transaction (documentation 9.27.6): an empty row would need a table of ours in
 * somebody's database, and vacuum. It commits locally, so a missing standby never looks like a broken primary.
 * Invariants: ends in time; never leaves more than two of its own backends hanging in a disk that does not answer, and
 * signals none of them: to PostgreSQL the end of a backend by force is a crash.
 */
import { z } from 'zod';
import type { Lsn } from '../core/lsn.ts';
import type { WriteProbe } from '../core/write-probe.ts';
import { describeError, isUnderstudyError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';
import { identify, isAlive, type ProcessIdentity } from '../process/identity.ts';
import { lsn } from './facts.ts';
import { createSession, type Session, sqlState } from './session.ts';
import { type Deadline, deadlineOf } from './waiting.ts';

export interface ProbeContext {
  readonly where: { readonly socketDirectory: string; readonly port: number };
  /** Open already: asked for what it knows in memory. */
  readonly watching: Session;
  readonly clock: Clock;
}

const backend = { text: 'select pg_backend_pid() as pid', row: z.object({ pid: z.number() }) };
/** A default of `default_transaction_read_only` is somebody's wish for clients, not a fault. */
const write = `begin read write; set local synchronous_commit to local;
  select pg_logical_emit_message(true, 'understudy', 'probe'); commit`;
const flushed = { text: 'select pg_current_wal_flush_lsn()::text as at', row: z.object({ at: lsn }) };
const askWithinMs = 200;
const mostHanging = 2;

/** too_many_connections. */
const noConnectionLeft = '53300';
/** Starting, stopping, crashed; and what a standby answers to `begin read write`. */
const sayNothing = new Set(['57P01', '57P02', '57P03', '0A000', '25006']);

export function createWriteProbe(
  context: ProbeContext,
): (act: { readonly withinMs: number; readonly signal?: AbortSignal }) => Promise<WriteProbe> {
  const { clock } = context;
  let hanging: readonly ProcessIdentity[] = [];

  const attempt = async (session: Session, deadline: Deadline): Promise<void> => {
    const left = (): number => Math.max(1, deadline.leftMs());
    const [row] = await session.query(backend, left());
    const own = row === undefined ? null : identify(row.pid);
    try {
      await session.execute(write, left(), deadline.signal);
    } catch (error) {
      if (own !== null && isUnderstudyError(error) && error.code === 'POSTGRES_TIMEOUT') hanging = [...hanging, own];
      throw error;
    }
  };

  return async (act) => {
    hanging = hanging.filter(isAlive);
    if (hanging.length >= mostHanging) {
      return { came: 'silent', text: `${hanging.length} earlier probes still hang in their commits` };
    }
    const begunAtMs = clock.boottimeMs();
    const before = await flushedUpTo(context.watching);
    const session = createSession(context.where);
    try {
      await attempt(session, deadlineOf(clock, act));
      return { came: 'written', tookMs: clock.boottimeMs() - begunAtMs };
    } catch (error) {
      const probe = judge(error);
      if (probe.came !== 'silent' && probe.came !== 'refused') return probe;
      const after = await flushedUpTo(context.watching);
      const goesOn = before !== null && after !== null && after > before;
      return goesOn ? { came: 'advancing', text: `${probe.text}, while WAL is still flushed` } : probe;
    } finally {
      session.drop();
    }
  };
}

/** From the server's memory; `null` when it does not say. */
async function flushedUpTo(watching: Session): Promise<Lsn | null> {
  try {
    const [row] = await watching.query(flushed, askWithinMs);
    return row?.at ?? null;
  } catch {
    return null;
  }
}

function judge(error: unknown): Extract<WriteProbe, { text: string }> {
  const text = `a new session could not write: ${describeError(error)}`;
  const state = sqlState(error);
  if (state === noConnectionLeft) return { came: 'barred', text: 'all connections are taken, the reserved ones too' };
  if (state !== null) return { came: sayNothing.has(state) ? 'moot' : 'refused', text };
  if (hasNoSocket(error)) return { came: 'barred', text: 'its Unix socket is gone: somebody removed the file' };
  const isSilent = isUnderstudyError(error) && error.code === 'POSTGRES_TIMEOUT';
  return { came: isSilent ? 'silent' : 'refused', text };
}

function hasNoSocket(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return ('code' in error && error.code === 'ENOENT') || hasNoSocket(error.cause);
}
