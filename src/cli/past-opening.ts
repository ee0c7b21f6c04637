/** Opens and moves instances for the verbs of `understudy past`, with a line that says how far it is. */
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { InstanceRecord } from '../past/scratch.ts';
import type { PastReports } from '../past/wish.ts';
import type { Call, CommonOptions } from './call.ts';
import { DrawnLine } from './drawn-line.ts';
import type { PastPlace } from './past-place.ts';
import { bytesText } from './words.ts';

export interface PastOptions extends CommonOptions {
  readonly for?: number;
  readonly maxSize?: number;
  readonly source?: 'standby' | 'repository';
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

/** Throws what `openPast` throws; what neither the archive nor a delayed standby has is refused. */
export async function openAt(
  call: Call,
  place: PastPlace,
  target: InstanceRecord['target'],
  options: Pick<PastOptions, 'for' | 'maxSize' | 'source'>,
  moving: InstanceRecord | null = null,
): Promise<InstanceRecord> {
  const [{ openPast }, { movePast }, { usualLifeMs, usualLimits }, { asRefusal, sourceFor }, { longestWorkMs }] =
    await Promise.all([
      import('../past/instances.ts'),
      import('../past/moving.ts'),
      import('../core/backups/past-limits.ts'),
      import('./past-source.ts'),
      import('../restoring/bounds.ts'),
    ]);
  const source = await sourceFor(place, target, { moving, wanted: options.source ?? null }, call.signal);
  const leftMs = moving === null ? usualLifeMs : Math.max(0, moving.expiresAtMs - Date.now());
  const limits = { ...usualLimits, maxBytes: options.maxSize ?? usualLimits.maxBytes };
  const wish = { target, source, lifeMs: options.for ?? leftMs, limits };
  const line = new DrawnLine(call.terminal);
  const bounds = { withinMs: longestWorkMs, signal: call.signal };
  try {
    const reports = reportsTo(line);
    if (moving !== null) return await movePast(place.parts, moving, wish, reports, bounds);
    return await openPast(place.parts, wish, reports, bounds);
  } catch (error) {
    throw asRefusal(error, source);
  } finally {
    line.close();
  }
}

function reportsTo(line: DrawnLine): PastReports {
  return {
    onMethod: ({ because }) => line.show(because, Date.now()),
    onRestored: ({ bytesDone, bytesTotal }) => {
      const of = bytesTotal === null ? '' : ` of ${bytesText(bytesTotal)}`;
      line.show(`${bytesText(bytesDone)}${of} copied`, Date.now());
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
