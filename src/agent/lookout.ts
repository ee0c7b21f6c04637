/**
 * Makes the views that a database node's agent decides by: one look at the server, and what is known of all else in the
 * same instant.
 *
 * Invariant: a look ends in bounded time, whatever the server does; nothing is in a view that was read after it was made.
 * Refuses to conclude anything: core/situation.ts.
 */
import type { ClusterView, LocalPostgres, Requests } from '../core/cluster-view.ts';
import type { NodeName } from '../core/spec.ts';
import type { Clock } from '../ports/clock.ts';
import type { Postgres } from '../ports/postgres.ts';
import type { FreeDisk } from './free-disk.ts';
import type { Jobs } from './jobs.ts';
import type { ReceivedReports } from './pooler-reports.ts';
import type { PromiseBinding } from './promise-binding.ts';
import type { StoreMirror } from './store-mirror.ts';
import type { WriteProbing } from './write-probing.ts';

export interface LookoutParts {
  readonly node: NodeName;
  readonly version: string;
  /** The kernel's name for this boot. */
  readonly bootId: string;
  readonly clock: Clock;
  readonly postgres: Pick<Postgres, 'observe'>;
  readonly mirror: Pick<StoreMirror, 'view'>;
  readonly reports: Pick<ReceivedReports, 'all'>;
  readonly binding: Pick<PromiseBinding, 'record'>;
  readonly jobs: Pick<Jobs, 'running' | 'last'>;
  readonly probing: Pick<WriteProbing, 'tick' | 'last'>;
  readonly disk: FreeDisk;
  readonly requests: () => Requests;
  /** The server as the last decision saw it; `null`: there was none. */
  readonly before: () => LocalPostgres | null;
  /** Is a switchover under way? */
  readonly isMoving: () => boolean;
}

/** A hung server must not cost a renewal. */
const observeWithinMs = 700;

export class Lookout {
  readonly #parts: LookoutParts;

  constructor(parts: LookoutParts) {
    this.#parts = parts;
  }

  async observe(): Promise<ClusterView> {
    const { probing, jobs, disk, isMoving } = this.#parts;
    const [postgres, diskFreeBytes] = await Promise.all([this.#observePostgres(), disk.bytes()]);
    probing.tick(postgres, isMoving() || jobs.running !== null);
    return this.#viewWith(postgres, diskFreeBytes);
  }

  /** What is known before the first look. */
  blank(): ClusterView {
    return this.#viewWith({ state: 'unknown', because: 'not looked at yet', pid: null }, null);
  }

  /** The same look at the server, with the store, the reports and the job as they are now. */
  refresh(view: ClusterView): ClusterView {
    const { clock, mirror, reports, jobs } = this.#parts;
    return { ...view, nowMs: clock.boottimeMs(), store: mirror.view, reports: reports.all, job: jobs.running };
  }

  async #observePostgres(): Promise<LocalPostgres> {
    const { postgres, jobs, isMoving } = this.#parts;
    const before = this.#parts.before();
    // A server on its way down refuses to be asked, and asking would take time from its end.
    if (jobs.running?.kind === 'stop' && before !== null && 'pid' in before && before.pid !== null) {
      return { state: 'stopping', pid: before.pid };
    }
    return await postgres.observe(observeWithinMs, isMoving() ? 'brief' : 'whole');
  }

  #viewWith(postgres: LocalPostgres, diskFreeBytes: number | null): ClusterView {
    const { node, version, bootId, clock, mirror, reports, binding, jobs, probing, requests } = this.#parts;
    return {
      self: node,
      nowMs: clock.boottimeMs(),
      store: mirror.view,
      postgres,
      promise: binding.record,
      bootId,
      job: jobs.running,
      lastJobs: jobs.last,
      reports: reports.all,
      requests: requests(),
      diskFreeBytes,
      probe: probing.last,
      agentVersion: version,
    };
  }
}
