/**
 * What is known of a cluster without its store and without its agents: the node files of this machine, and the last spec
 * that they saw. On a server that is one node; on a stage it is all of them.
 *
 * Refuses to guess: a node that has never seen a spec does not know which PostgreSQL is its own.
 */
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { rememberSpecIn } from '../agent/remembered-spec.ts';
import { loadNodeFile } from '../config/load-node-file.ts';
import type { NodeFile } from '../config/node-file.ts';
import type { SpecRecord } from '../core/cluster-view.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { findBinaries } from '../postgres/binaries.ts';
import { run } from '../process/run.ts';
import { findStage, nodeDirectory, type StageRecord } from '../stage/record.ts';

export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

export interface Place {
  /** The nodes of this machine. */
  readonly here: readonly NodeFile[];
  readonly spec: SpecRecord;
  /** Whose PostgreSQL and poolers are; `null`: whoever runs this. */
  readonly account: Account | null;
  /** Where PostgreSQL's programs are. */
  readonly binaries: string;
  readonly stage: StageRecord | null;
}

export const systemNodeFile = '/etc/understudy/node.yaml';

/** Throws CONFIG_UNREADABLE where there is no node, NOT_FOUND where it has never seen a spec. */
export async function findPlace(directory: string): Promise<Place> {
  const stage = findStage(directory);
  const files =
    stage === null ? [systemNodeFile] : stage.nodes.map((node) => join(nodeDirectory(stage, node.name), 'node.yaml'));
  if (stage === null && !existsSync(systemNodeFile)) {
    throw new UnderstudyError('CONFIG_UNREADABLE', `there is no stage in ${directory}, and no ${systemNodeFile}`, {
      hint: 'call it on a database node of the cluster',
    });
  }
  const here = files.filter((file) => existsSync(file)).map(loadNodeFile);
  const specs = here.flatMap(({ directories }) => rememberSpecIn(directories.state).read() ?? []);
  const [spec] = specs.sort((a, b) => b.revision - a.revision);
  if (spec === undefined) {
    throw new UnderstudyError('NOT_FOUND', 'no node of this machine has ever seen a spec', {
      hint: 'call it on a database node that was a working member of the cluster',
    });
  }
  const declared =
    here.find(({ role }) => role === 'database')?.binaries.postgres ?? spec.spec.postgres.binaryDirectory;
  const { directory: binaries } = await findBinaries(spec.spec.postgres.major, declared);
  return { here, spec, account: await accountOf(here, stage), binaries, stage };
}

export function dataDirectory({ spec }: Place, node: NodeFile): string {
  return spec.spec.postgres.dataDirectory ?? node.directories.data;
}

async function accountOf(here: readonly NodeFile[], stage: StageRecord | null): Promise<Account | null> {
  if (process.getuid?.() !== 0) return null;
  if (stage !== null) return stage.user;
  const [first] = here;
  if (first === undefined) return null;
  const { uid, gid } = statSync(first.directories.state);
  const { stdout } = await run('id', ['-nu', String(uid)], { withinMs: 5_000 });
  return { name: stdout.trim(), uid, gid };
}
