/**
 * As whom a stage runs, and where its files can lie. PostgreSQL refuses root, so root's stages run as `postgres`.
 *
 * Invariant: every directory that the stage's processes need can be reached by that user.
 */
import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { run } from '../process/run.ts';

export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

const unprivileged = 'postgres';
/** unix(7) allows 107 bytes; PostgreSQL's socket name and a node's directory need their part. */
const longestRunRoot = 60;

export async function stageAccount(): Promise<Account> {
  const { uid, gid, username } = userInfo();
  if (uid !== 0) return { name: username, uid, gid };
  const id = async (flag: string) => Number((await run('id', [flag, unprivileged], { withinMs: 5_000 })).stdout.trim());
  try {
    return { name: unprivileged, uid: await id('-u'), gid: await id('-g') };
  } catch (cause) {
    throw new UnderstudyError('STAGE_FAILED', `PostgreSQL does not run as root, and there is no user ${unprivileged}`, {
      cause,
      hint: 'run the stage as an ordinary user, or install the postgresql package, which makes that user',
    });
  }
}

/**
 * In these, a configuration file or a URL of one of the programs means something else: etcd's log is a URL, PostgreSQL takes
 * a list of socket directories, and its client library an SSL engine before the name of a key.
 */
const special = /[\\%#?,:\p{Cc}]/u;

/** Where the stage's files go: beside its record when the account and its programs get there, otherwise under /var/tmp. */
export function stageRoot(directory: string, account: Account): string {
  const [beside, elsewhere] = stageRoots(directory);
  const isUsable = !special.test(beside) && canReach(resolve(directory), account);
  return isUsable ? beside : elsewhere;
}

/** Where the files of a stage of this directory may be, whoever made it. */
export function stageRoots(directory: string): readonly [string, string] {
  return [join(resolve(directory), '.understudy'), `/var/tmp/understudy-stage-${mark(directory)}`];
}

export function stageRunRoot(directory: string, root: string): string {
  const beside = join(root, 'run');
  return Buffer.byteLength(beside) <= longestRunRoot ? beside : join(tmpdir(), `understudy-${mark(directory)}`);
}

/** Ten characters that stand for this directory. */
export function mark(directory: string): string {
  return createHash('sha256').update(resolve(directory)).digest('hex').slice(0, 10);
}

function canReach(directory: string, account: Account): boolean {
  for (let current = directory; ; current = dirname(current)) {
    const { mode, uid, gid } = statSync(current);
    const bit = uid === account.uid ? 0o100 : gid === account.gid ? 0o010 : 0o001;
    if ((mode & bit) === 0) return false;
    if (current === dirname(current)) return true;
  }
}
