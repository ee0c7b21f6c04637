/**
 * Who is killed first when memory runs out: the fence last, PostgreSQL as it would be without a fence.
 *
 * A process may lower its score to what a privileged one once gave it or its parents, and no further (proc(5),
 * /proc/<pid>/oom_score_adj); raising is always allowed. So the unit gives -1000 and the agent's program is started
 * with a higher one, from which the fence comes back down (packaging/understudy-agent.service). Where that is not so,
 * the fence keeps what it has.
 */
import { readFileSync, writeFileSync } from 'node:fs';

const never = -1_000;

export interface OomScore {
  /** What the fence has now. */
  own(): number;
  /** Gives a process what this one was started with. */
  giveBack(pid: number): void;
  /** Settings for PostgreSQL, which gives each of its children a score of its own (documentation 19.4.4). */
  readonly environment: Readonly<Record<string, string>>;
}

export function lowerOomScore(): OomScore {
  const before = read('self');
  write('self', never);
  return {
    own: () => read('self'),
    giveBack: (pid) => write(pid, before),
    environment: { PG_OOM_ADJUST_FILE: '/proc/self/oom_score_adj', PG_OOM_ADJUST_VALUE: String(Math.max(before, 0)) },
  };
}

function read(pid: number | 'self'): number {
  return Number(readFileSync(`/proc/${pid}/oom_score_adj`, 'latin1'));
}

function write(pid: number | 'self', score: number): void {
  try {
    writeFileSync(`/proc/${pid}/oom_score_adj`, String(score));
  } catch {
    // not allowed, or it ended
  }
}
