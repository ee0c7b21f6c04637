/**
 * Where a recovery happens: which data directory, whose it is, and where its configuration of the repository lies until the cluster is back.
 *
 * Invariant: a node's own configuration of the repository is not touched here: a server that runs there archives by it. A recovery has
 * one of its own, in a directory that nobody else may read, which goes with it. What a recovery that was killed left there
 * is taken over, since its server asks for WAL by it; two at once are refused.
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { systemNodeFile } from '../by-hand/place.ts';
import { loadNodeFile } from '../config/load-node-file.ts';
import type { NodeFile } from '../config/node-file.ts';
import type { Spec } from '../core/spec.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { becomeAccount } from '../process/account.ts';
import { takeLockFile } from '../process/lock-file.ts';
import { resolved } from '../restoring/destination.ts';
import { runsInstance } from '../restoring/instance-record.ts';
import type { RecoverOptions } from './recover.ts';
import { instanceDirectory } from './restore-run.ts';

export interface Site {
  /** `null`: only a directory is written. */
  readonly file: NodeFile | null;
  readonly data: string;
  /** Where sockets lie; the same for each attempt. */
  readonly run: string;
  /** For what is needed meanwhile: the same for each attempt that writes anything. */
  readonly scratch: string;
  /** Removes the scratch directory, unless a server that was left recovers by it; and lets others in. */
  leave(): void;
}

/** From here on this process is the user of that directory. Throws REFUSED, NOT_FOUND, CONFIG_INVALID. */
export function siteOf(cwd: string, spec: Spec, options: RecoverOptions): Site {
  const isDry = options.dryRun === true;
  if (options.data !== undefined) {
    const data = resolve(cwd, options.data);
    const parent = dirname(data);
    if (!existsSync(parent)) throw new UnderstudyError('NOT_FOUND', `there is no directory ${parent}`);
    beOwnerOf(parent);
    const run = `${data}.recovering`;
    return { file: null, data, run, ...scratchIn(run, isDry, () => isLeft(run, data)) };
  }
  const file = loadNodeFile(resolve(cwd, options.nodeFile ?? systemNodeFile));
  if (
    file.cluster !== spec.cluster ||
    !spec.nodes.some(({ name, role }) => name === file.node && role === 'database')
  ) {
    throw new UnderstudyError(
      'CONFIG_INVALID',
      `${file.node} of ${file.cluster} is no database node of ${spec.cluster}`,
    );
  }
  const { data, run, state } = file.directories;
  beOwnerOf(state);
  const own = spec.postgres.dataDirectory ?? data;
  const scratch = scratchIn(join(state, 'recovering'), isDry, () => isLeft(run, own));
  return { file, data: own, run, ...scratch };
}

/** Does the server of a recovery that was killed still run? Its record lies there, or what it asks for WAL by. */
function isLeft(run: string, data: string): boolean {
  const into = resolved(data);
  return runsInstance(instanceDirectory(run, into), into);
}

function scratchIn(place: string, isDry: boolean, isNeeded: () => boolean): Pick<Site, 'scratch' | 'leave'> {
  if (isDry) {
    const scratch = mkdtempSync(join(tmpdir(), 'understudy-recover-'));
    return { scratch, leave: () => rmSync(scratch, { recursive: true, force: true }) };
  }
  const release = takeLockFile(`${place}.lock`);
  if (release === null) throw new UnderstudyError('REFUSED', `another recovery is at work in ${place}`);
  mkdirSync(place, { recursive: true, mode: 0o700 });
  const leave = (): void => {
    if (!isNeeded()) rmSync(place, { recursive: true, force: true });
    release();
  };
  return { scratch: place, leave };
}

/** PostgreSQL refuses root, and so do the directories that its account can't read. */
function beOwnerOf(directory: string): void {
  const { gid, uid } = statSync(directory);
  if (process.geteuid?.() === 0 && uid === 0) {
    throw new UnderstudyError('REFUSED', `${directory} is root's, and PostgreSQL can't run as root`, {
      hint: 'give the directory to its account: chown postgres:',
    });
  }
  becomeAccount({ uid, gid });
}
