/**
 * A server that lives and answers nobody: stopped by a signal, hanging in its disk, on its way down for ever, or only
 * what its postmaster left behind. It is ended, and then started again by the ordinary rules.
 *
 * Invariant: a server that only starts is never ended here, since crash recovery takes its time.
 */
import type { Action } from '../actions.ts';
import { act, type Situation, type Verdict, wait } from '../situation.ts';

/** How long a server may answer nobody, in ms, before it is taken for hung. */
export const hungPrimaryAfterMs = 5_000;
/** Nobody writes there: a checkpoint or a disk that catches its breath is given time. */
export const hungStandbyAfterMs = 10_000;

/** `null`: the server is neither unknown nor on its way down. */
export function endHung({ view, memory, nowMs }: Situation, afterMs: number): Verdict | null {
  const { postgres } = view;
  if (postgres.state !== 'unknown' && postgres.state !== 'stopping') return null;
  const text = postgres.state === 'unknown' ? postgres.because : 'PostgreSQL is stopping';
  const since = memory.unansweringSinceMs ?? nowMs;
  if (postgres.pid === null || nowMs - since < afterMs) {
    return wait({ code: `postgres-${postgres.state}`, text }, postgres.state === 'unknown' ? 200 : 50);
  }
  return end('postgres-hung', `${text}; ended after ${afterMs} ms`);
}

/** What outlived its postmaster went on committing for seconds: none of it may stay. */
export function endOrphans(): Verdict {
  return end('postmaster-gone', 'the postmaster is gone, and processes of it are left');
}

/** Ends the server whatever it does, by force after half a second. */
export function end(code: string, text: string): Verdict {
  const stop: Action = { do: 'stop', awaitStandby: null, patienceMs: 500, drain: null, because: [code] };
  return act([stop], { code, text }, 50);
}
