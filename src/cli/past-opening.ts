/** Opens and moves instances for the verbs of `understudy past`, with a line that says how far it is. */
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { PastReports } from '../past/instances.ts';
import type { InstanceRecord } from '../past/scratch.ts';
import type { Call, CommonOptions } from './call.ts';
import { DrawnLine } from './drawn-line.ts';
import type { PastPlace } from './past-place.ts';
import { bytesText } from './words.ts';

export interface PastOptions extends CommonOptions {
  readonly for?: number;
  readonly maxSize?: number;
  readonly node?: string;
  readonly database?: string;
  readonly table?: string;
  readonly key?: readonly string[];
  readonly where?: string;
  readonly limit?: number;
  readonly sql?: string;
  readonly tables?: boolean;
  readonly count?: boolean;
}

export interface WhenOptions {
  readonly from?: string;
  readonly to?: string;
  readonly precision?: number;
}

/** Throws what `openPast` throws; what the archive does not have is refused. */
export async function openAt(
  call: Call,
  place: PastPlace,
  target: InstanceRecord['target'],
  options: Pick<PastOptions, 'for' | 'maxSize'>,
  moving: InstanceRecord | null = null,
): Promise<InstanceRecord> {
  const [{ movePast, openPast }, { usualLifeMs, usualLimits }, { asRefusal, sourceFor }, { longestWorkMs }] =
    await Promise.all([
      import('../past/instances.ts'),
      import('../core/backups/past-limits.ts'),
      import('./past-place.ts'),
      import('../restoring/bounds.ts'),
    ]);
  const { backup, timeline, walBytes } = await sourceFor(place, target, call.signal);
  const leftMs = moving === null ? usualLifeMs : Math.max(0, moving.expiresAtMs - Date.now());
  const limits = { ...usualLimits, maxBytes: options.maxSize ?? usualLimits.maxBytes };
  const wish = { target, backup, walBytes, timeline, lifeMs: options.for ?? leftMs, limits };
  const line = new DrawnLine(call.terminal);
  const bounds = { withinMs: longestWorkMs, signal: call.signal };
  try {
    const reports = reportsTo(line);
    if (moving !== null) return await movePast(place.parts, moving, wish, reports, bounds);
    return await openPast(place.parts, wish, reports, bounds);
  } catch (error) {
    throw asRefusal(error);
  } finally {
    line.close();
  }
}

function reportsTo(line: DrawnLine): PastReports {
  return {
    onMethod: ({ because }) => line.show(because, Date.now()),
    onRestored: ({ bytesDone, bytesTotal }) => {
      const of = bytesTotal === null ? '' : ` of ${bytesText(bytesTotal)}`;
      line.show(`${bytesText(bytesDone)}${of} restored`, Date.now());
    },
    onReplayed: ({ lastCommitAt, lsn }) => line.show(`replayed to ${lastCommitAt ?? lsn}`, Date.now()),
  };
}

/** Throws NOT_FOUND. */
export function requireInstance({ scratch }: PastPlace['parts'], id: string): InstanceRecord {
  const open = scratch.instances().filter(({ state }) => state === 'open');
  const found = open.find((record) => record.id === id);
  if (found !== undefined) return found;
  throw new UnderstudyError('NOT_FOUND', `no instance ${id} is open`, {
    hint: open.length === 0 ? 'none is' : `open are ${open.map((record) => record.id).join(', ')}`,
  });
}
