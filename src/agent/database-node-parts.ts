/** The ports from which a database node's agent is put together; src/composition and the tests bring them. */
import type { KeptWalLimits } from '../core/kept-wal.ts';
import type { NodeName } from '../core/spec.ts';
import type { Clock } from '../ports/clock.ts';
import type { Fence } from '../ports/fence.ts';
import type { Postgres } from '../ports/postgres.ts';
import type { PromiseFile } from '../ports/promise-file.ts';
import type { Store } from '../ports/store.ts';
import type { ActionLog, ExecutionContext } from './execution-context.ts';
import type { Configure } from './local-configuration.ts';

export interface DatabaseNodeParts {
  readonly node: NodeName;
  readonly version: string;
  readonly clock: Clock;
  readonly store: Store;
  readonly postgres: Postgres;
  readonly log: ActionLog;
  readonly configuration: Configure;
  readonly restoreCommand: ExecutionContext['restoreCommand'];
  /** Left out: nowhere else. */
  readonly bases?: ExecutionContext['bases'];
  readonly fence: Fence;
  readonly promises: PromiseFile;
  readonly askPromise: ExecutionContext['askPromise'];
  readonly checkpointOn: ExecutionContext['checkpointOn'];
  readonly credentials: ExecutionContext['credentials'];
  /** Left out: the usual ones. */
  readonly keptWal?: KeptWalLimits;
  readonly askWal: ExecutionContext['askWal'];
  /** The kernel's name for this boot. */
  readonly bootId: string;
  readonly diskFreeBytes: () => Promise<number | null>;
  /** Hears every event when it happens. */
  readonly heard?: ExecutionContext['emit'];
}
