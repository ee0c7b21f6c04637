/** Carries out a restore that was planned: asks, shows how far it is, and recovers what was restored. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { NotPossible } from '../core/backups/choice.ts';
import { parseTarget, type Target } from '../core/backups/target.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { TransferProgress } from '../ports/repository.ts';
import { endMark } from '../restoring/mark.ts';
import type { Recovered, RecoverParts } from '../restoring/recover.ts';
import {
  planRestore,
  type RestoredDirectory,
  type RestorePlan,
  type RestoreWish,
  type RestoringParts,
  restoreDirectory,
} from '../restoring/restore-directory.ts';
import { momentsOf } from '../timing/local-time.ts';
import type { Call } from './call.ts';
import { confirm } from './confirmation.ts';
import { DrawnLine } from './drawn-line.ts';
import { planText } from './restore-text.ts';
import { bytesText, spanText } from './words.ts';

/** A week: nobody waits for more, and it ends at Ctrl-C. */
const actWithinMs = 7 * 86_400_000;
const lookWithinMs = 60_000;
/** Of a socket's path 107 bytes are PostgreSQL's, with its name. */
const longestDirectory = 90;

/** Throws REQUEST_INVALID with what would be right. */
export function readTarget(text: string): Target {
  const parsed = parseTarget(text, { nowMs: Date.now(), momentsOf });
  if ('refused' in parsed) throw new UnderstudyError('REQUEST_INVALID', parsed.refused);
  return parsed.target;
}

/** Where the server that recovers has its socket: the same for each attempt at one directory. */
export function instanceDirectory(base: string, into: string): string {
  const directory = join(base, `restore-${createHash('sha256').update(into).digest('hex').slice(0, 8)}`);
  if (Buffer.byteLength(directory) <= longestDirectory) return directory;
  throw new UnderstudyError('REQUEST_INVALID', `${directory} is too long for a socket's path`);
}

/** What could be named instead; `null`: there is nothing. */
export function windowHint({ earliest, newest, possible }: NotPossible): string | null {
  if (possible !== null) return `possible is ${possible}`;
  return earliest === null ? null : `possible is ${earliest} to ${newest ?? 'what is archived by now'}`;
}

/** Throws REFUSED with what would be possible. */
export async function planOrRefuse(call: Call, parts: RestoringParts, wish: RestoreWish): Promise<RestorePlan> {
  const planned = await planRestore(parts, wish, { withinMs: lookWithinMs, signal: call.signal });
  if ('plan' in planned) return planned.plan;
  const { text } = planned.notPossible;
  const hint = windowHint(planned.notPossible) ?? 'see what is there: understudy backup list';
  throw new UnderstudyError('REFUSED', text, { hint });
}

export interface Wishes {
  readonly yes: boolean;
  /** Left out: it is restored and not started. */
  readonly recover: RecoverParts | null;
  /** Everything is copied, and no server has been started on it. */
  readonly beforeRecovery?: (into: string) => Promise<void>;
}

export interface RestoreOutcome {
  readonly restored: RestoredDirectory;
  readonly recovered: Recovered | null;
}

/**
 * What is to be a node's directory has more to be done with it, and whoever does it says when it is finished. Throws REFUSED with every
 * obstacle, and what the restore throws.
 */
export async function carryOut(
  call: Call,
  parts: RestoringParts,
  plan: RestorePlan,
  wishes: Wishes,
): Promise<RestoreOutcome> {
  const { terminal, signal } = call;
  if (!terminal.json) terminal.print(...planText(plan));
  const { obstacles } = plan.destination;
  if (obstacles.length > 0) throw new UnderstudyError('REFUSED', obstacles.join('; '));
  await confirm(call, 'Restore it?', wishes.yes);
  const options = { withinMs: actWithinMs, signal };
  const line = new DrawnLine(terminal);
  try {
    const restored = await restoreDirectory(parts, plan, copyProgress(line), options);
    if (wishes.recover === null) {
      endMark(restored.into, 'restored');
      return { restored, recovered: null };
    }
    await wishes.beforeRecovery?.(restored.into);
    const { recoverDirectory } = await import('../restoring/recover.ts');
    const show = ({ lastCommitAt, lsn }: { readonly lsn: string; readonly lastCommitAt: string | null }): void =>
      line.show(`recovering: ${lsn}${lastCommitAt === null ? '' : `, ${lastCommitAt}`}`, Date.now());
    const recovered = await recoverDirectory(wishes.recover, plan, restored, show, options);
    if (!plan.wish.archives) endMark(restored.into, 'restored');
    return { restored, recovered };
  } finally {
    line.close();
  }
}

function copyProgress(line: DrawnLine): (progress: TransferProgress) => void {
  const began = Date.now();
  return ({ bytesDone, bytesTotal }) => {
    const nowMs = Date.now();
    const perMs = bytesDone / Math.max(1, nowMs - began);
    const left = bytesTotal === null || perMs === 0 ? '' : `, ${spanText((bytesTotal - bytesDone) / perMs)} left`;
    const of = bytesTotal === null ? '' : ` of ${bytesText(bytesTotal)}`;
    line.show(`${bytesText(bytesDone)}${of} restored, ${bytesText(Math.round(perMs * 1_000))}/s${left}`, nowMs);
  };
}
