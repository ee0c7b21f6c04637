/** When a job that failed may be tried again: never at once, so that no failure becomes a busy loop. */
import type { ClusterView, JobKind } from '../cluster-view.ts';

const backOffMs: Readonly<Record<JobKind, number>> = {
  cut: 200,
  hear: 200,
  discard: 60_000,
  initialise: 5_000,
  clone: 5_000,
  rescue: 5_000,
  rewind: 5_000,
  start: 2_000,
  stop: 500,
  promote: 1_000,
  databases: 2_000,
  credentials: 2_000,
  restart: 2_000,
};

/** Milliseconds until the job may run again; 0: now. */
export function retryAfterMs(view: ClusterView, kind: JobKind): number {
  const last = view.lastJobs.get(kind);
  if (last === undefined || last.outcome === 'done') return 0;
  return Math.max(0, last.finishedAtMs + backOffMs[kind] - view.nowMs);
}
