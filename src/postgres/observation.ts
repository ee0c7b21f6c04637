/**
 * Puts together what is known of the local server at one instant.
 *
 * Never throws and never takes longer than it was given. Unknown is not false: a server that lives but does not answer
 * is `unknown` with its process id, never `stopped`; `stopped` means that no process of the data directory lives and
 * its memory is not attached.
 */
import type { LocalPostgres } from '../core/local-postgres.ts';
import { describeError, isUnderstudyError } from '../errors/understudy-error.ts';
import type { LookDepth } from '../ports/postgres.ts';
import { settleSwap } from './journal.ts';
import { findServer, type Server } from './postmaster-file.ts';
import { createDiagnosis, createLogTail, type StreamingDiagnosis } from './replication-log.ts';
import { observeAtRest } from './resting-server.ts';
import { createRunningServer, type RunningServerContext } from './running-server.ts';
import { sqlState } from './session.ts';
import { within } from './waiting.ts';

/** SQLSTATE cannot_connect_now: starting up, or shutting down. */
const cannotConnectNow = '57P03';

export interface Observer {
  observe(withinMs: number, depth: LookDepth): Promise<LocalPostgres>;
  /** Settings may have changed: read them again at the next look. */
  refresh(): void;
  readonly diagnosis: StreamingDiagnosis;
}

export interface ObserverContext extends Omit<RunningServerContext, 'diagnosis'> {
  /** Is a data directory being built or swapped by this very process? Then the journal is not ours to settle. */
  readonly isBuilding: () => boolean;
}

function unknown(because: string, pid: number | null): LocalPostgres {
  return { state: 'unknown', because, pid };
}

export function createObserver(context: ObserverContext): Observer {
  const { layout, session } = context;
  const diagnosis = createDiagnosis(createLogTail(layout.serverLog));
  const running = createRunningServer({ ...context, diagnosis });

  const alive = async (
    server: Extract<Server, { alive: 'postmaster' }>,
    withinMs: number,
    depth: LookDepth,
  ): Promise<LocalPostgres> => {
    const { pid } = server.postmaster;
    if (server.frozen) return unknown('the postmaster was stopped by a signal', pid);
    if (server.file.status === 'starting' || server.file.status === 'none') return { state: 'starting', pid };
    if (server.file.status === 'stopping') return { state: 'stopping', pid };
    try {
      return await running.observe(pid, withinMs, depth);
    } catch (error) {
      // A connection that broke or was refused may just mean that it is on its way up or down.
      const again = findServer(layout.data, layout.postmasterFile);
      if (again.alive !== 'postmaster') return { state: 'stopping', pid };
      if (again.file.status === 'stopping') return { state: 'stopping', pid };
      if (sqlState(error) === cannotConnectNow) return { state: 'starting', pid };
      return unknown(describeError(error), pid);
    }
  };

  const look = async (withinMs: number, depth: LookDepth): Promise<LocalPostgres> => {
    try {
      await context.binaries();
    } catch (error) {
      if (isUnderstudyError(error)) return { state: 'missing-binaries', because: describeError(error) };
      throw error;
    }
    const found = findServer(layout.data, layout.postmasterFile);
    if (found.alive === 'postmaster') return alive(found, withinMs, depth);
    // Directories are swapped only where nothing runs.
    if (!context.isBuilding()) await settleSwap(layout);
    const server = findServer(layout.data, layout.postmasterFile);
    if (server.alive === 'postmaster') return alive(server, withinMs, depth);
    session.drop();
    running.forget();
    if (server.alive === 'remnants') {
      return { state: 'orphaned', pid: server.processes[0]?.pid ?? server.file?.pid ?? 0 };
    }
    return observeAtRest(layout, context.major, context.binaries);
  };

  return {
    diagnosis,
    refresh: () => running.refresh(),
    async observe(withinMs, depth) {
      try {
        return (
          (await within(withinMs, look(0.9 * withinMs, depth))) ?? unknown(`no answer within ${withinMs} ms`, null)
        );
      } catch (error) {
        return unknown(describeError(error), null);
      }
    },
  };
}
