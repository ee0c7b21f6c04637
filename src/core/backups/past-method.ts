/**
 * By which way an instance of the past comes to its data the quickest. Pure.
 *
 * A warm base is a restored directory in which no server runs, kept for the next request. It serves a target when it stands before that,
 * and no backup lies between: then replay is the shortest there is. Invariant: a base that may stand behind the target is never
 * replayed from; where that is not known, it is restored first.
 */

/** What the file system of the scratch directory can do, as it was tried there. */
export interface Copying {
  /** `null`: every copy is a whole one. */
  readonly by: 'btrfs-snapshot' | 'reflink' | null;
  /** `ext4`, `xfs`, `btrfs`, `zfs`, or its number in hexadecimal. */
  readonly fileSystem: string;
}

export interface BaseFacts {
  /** The backup that it was restored from. */
  readonly label: string;
  /** Up to where it was replayed, or when its backup ended. */
  readonly atMs: number;
  /** A server has replayed in it. */
  readonly isReplayed: boolean;
  /** Its restore came to its end. */
  readonly isWhole: boolean;
}

export interface MethodFacts {
  readonly copying: Copying;
  /** `null`: there is none, or an instance has taken it. */
  readonly base: BaseFacts | null;
  /** The nearest one at or before the target. */
  readonly backup: { readonly label: string; readonly finishedMs: number };
  /** `null`: the target is no time. */
  readonly targetMs: number | null;
}

export type MethodName =
  /** A snapshot of the warm base. */
  | 'btrfs-snapshot'
  /** A copy of the warm base that shares its blocks. */
  | 'reflink'
  /** The warm base itself, replayed on. */
  | 'roll-forward'
  /** The warm base itself, after what differs from the backup was restored. */
  | 'delta'
  | 'restore'
  /** No restore: a delayed standby is copied (past-source.ts). */
  | 'delayed-standby';

export interface Method {
  readonly by: MethodName;
  /** What is done with the base first. `null`: nothing, also where there is none. */
  readonly base: 'restore' | 'delta' | null;
  /** Whether the instance lives in the base; otherwise in a directory of its own. */
  readonly takesBase: boolean;
  readonly because: string;
}

export function decideMethod(facts: MethodFacts): Method {
  const { base, copying } = facts;
  const unfit = base === null ? 'there is no warm base' : unfitFor(base, facts);
  if (copying.by !== null) {
    const prepared = base === null ? 'restore' : unfit === null ? null : 'delta';
    const before = unfit === null ? 'a warm base stands before it' : `${unfit}, so it is restored first`;
    return {
      by: copying.by,
      base: prepared,
      takesBase: false,
      because: `${copying.fileSystem} shares blocks; ${before}`,
    };
  }
  const whole = `${copying.fileSystem} can't share blocks`;
  if (base === null) return { by: 'restore', base: null, takesBase: false, because: `${whole}, and ${unfit}` };
  if (unfit === null) {
    return { by: 'roll-forward', base: null, takesBase: true, because: `${whole}; a warm base stands before it` };
  }
  return { by: 'delta', base: 'delta', takesBase: true, because: `${whole}; ${unfit}` };
}

/** `null`: it can be replayed to the target. */
function unfitFor(base: BaseFacts, { backup, targetMs }: MethodFacts): string | null {
  if (!base.isWhole) return 'the warm base was not finished';
  if (base.label !== backup.label && base.atMs < backup.finishedMs) return 'a backup is nearer than the warm base';
  if (!base.isReplayed && base.label === backup.label) return null;
  if (targetMs === null) return 'it is not known whether the warm base stands before it';
  return base.atMs <= targetMs ? null : 'the warm base stands behind it';
}

const names: Readonly<Record<MethodName, string>> = {
  'btrfs-snapshot': 'btrfs snapshot of a warm base',
  reflink: 'reflink copy of a warm base',
  'roll-forward': 'warm base replayed on',
  delta: 'delta restore of a warm base',
  restore: 'restore',
  'delayed-standby': 'copy of the delayed standby',
};

export function methodText({ by }: Pick<Method, 'by'>): string {
  return names[by];
}
