/** What the past of one node is made with. */
import { join } from 'node:path';
import type { Clock } from '../ports/clock.ts';
import type { Repository } from '../ports/repository.ts';
import type { Binaries } from '../postgres/binaries.ts';
import type { Scratch } from './scratch.ts';

export interface EndingParts {
  readonly scratch: Scratch;
  /** Of the node's sockets; short. */
  readonly run: string;
  readonly clock: Clock;
}

export interface PastParts extends EndingParts {
  readonly node: string;
  readonly repository: Pick<Repository, 'restore' | 'restoreCommand'>;
  readonly binaries: Binaries;
}

/** Where an instance has its socket, its log and its configuration. */
export function socketDirectory({ run }: Pick<EndingParts, 'run'>, id: string): string {
  return join(run, 'past', id);
}
