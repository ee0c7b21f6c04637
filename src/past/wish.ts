/** What is asked for: which moment, from where, for how long; and what is told meanwhile. */
import type { PastLimits } from '../core/backups/past-limits.ts';
import type { Method } from '../core/backups/past-method.ts';
import type { RepositoryBackup } from '../core/repository.ts';
import type { TransferProgress } from '../ports/repository.ts';
import type { SeenStandby } from '../restoring/delayed-standby.ts';
import type { ReplayProgress } from '../restoring/instance.ts';
import type { PastTarget } from './scratch.ts';

export interface FromRepository {
  readonly from: 'repository';
  /** The one nearest before the target. */
  readonly backup: RepositoryBackup;
  /** From there to the target; `null`: not known. */
  readonly walBytes: number | null;
  /** The newest of the archive; `latest`: it has none but the first. */
  readonly timeline: number | 'latest';
}

export interface FromStandby extends Omit<SeenStandby, 'reach'> {
  readonly from: 'standby';
  readonly because: string;
}

export interface PastWish {
  readonly target: PastTarget;
  readonly source: FromRepository | FromStandby;
  readonly lifeMs: number;
  readonly limits: PastLimits;
}

export interface PastReports {
  /** Called once the way is known. */
  readonly onMethod: (method: Method) => void;
  readonly onRestored: (progress: TransferProgress) => void;
  readonly onReplayed: (progress: ReplayProgress) => void;
}
