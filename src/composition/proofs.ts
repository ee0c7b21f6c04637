/** Composes the proof of backups on a database node: where it works, and with what. */
import { join } from 'node:path';
import type { DatabaseNode } from '../agent/database-node.ts';
import type { BackupCandidate } from '../core/backups/backup-node.ts';
import { lastHeardMs } from '../core/reach.ts';
import type { Spec } from '../core/spec.ts';
import { summarise } from '../core/status-summary.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Prover } from '../ports/prover.ts';
import { findBinaries } from '../postgres/binaries.ts';
import { createProver } from '../proof/prove.ts';
import type { Foundation } from './foundation.ts';

/** Beside the past, so that one file system can be put there for both. */
export function proverOf({ clock, file }: Foundation, spec: () => Spec | null): Prover {
  const { run, state } = file.directories;
  return createProver({
    clock,
    binaries: async () => {
      const known = spec();
      if (known === null) throw new UnderstudyError('STORE_UNREACHABLE', 'this node knows no declaration yet');
      return await findBinaries(known.postgres.major, known.postgres.binaryDirectory);
    },
    scratch: join(state, 'past', 'proof'),
    sockets: join(run, 'past', 'proof'),
    draw: () => Math.random(),
  });
}

/** `null`: this agent has not looked yet. */
export function workCandidates({ freshView }: DatabaseNode): readonly BackupCandidate[] | null {
  if (freshView === null) return null;
  const { memory, view } = freshView;
  return summarise(view, lastHeardMs(view, memory)).nodes;
}
