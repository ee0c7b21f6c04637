/**
 * How far a stopped node's data go: the end of valid WAL on its disk, read without starting anything.
 *
 * The control file names a place from which everything is there, and `pg_waldump` reads on from it to the last valid
 * record (PostgreSQL documentation, "pg_waldump"). Positions compare by timeline first: without the store nobody was
 * promoted by the automation, so that a higher timeline is a later term's.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { NodeFile } from '../config/node-file.ts';
import { formatLsn, parseLsn } from '../core/lsn.ts';
import { readControl } from '../postgres/control-file.ts';
import { layoutOf } from '../postgres/layout.ts';
import { run } from '../process/run.ts';
import { type Account, dataDirectory, type Place } from './place.ts';

export interface Standing {
  readonly node: string;
  readonly systemIdentifier: string;
  /** It was primary when it ran last. */
  readonly wasPrimary: boolean;
  readonly timeline: number;
  /** Its last valid record starts here. */
  readonly lsn: string;
}

export type Examined = Standing | { readonly node: string; readonly because: string };

const readWithinMs = 600_000;
const keptBytes = 64 * 1024;

/** The words by which a person finds the same. */
export function examineCommands(place: Place, node: NodeFile): readonly string[] {
  const data = dataDirectory(place, node);
  return [
    `${join(place.binaries, 'pg_controldata')} ${data}    # state, REDO location R, TimeLineID T`,
    `ls ${join(data, 'standby.signal')}    # there: it was a standby; missing: it was primary`,
    `${join(place.binaries, 'pg_waldump')} --path ${join(data, 'pg_wal')} --timeline T --start R | tail -n 1`,
  ];
}

export async function examine(place: Place, node: NodeFile, signal: AbortSignal): Promise<Examined> {
  const layout = layoutOf({ ...node.directories, data: dataDirectory(place, node) });
  const reading = readControl(layout.controlFile);
  if (reading.found !== 'control') {
    return { node: node.node, because: reading.found === 'unreadable' ? reading.because : 'it has no data' };
  }
  const { control } = reading;
  const isLater = control.minRecoveryTimeline > control.checkpointTimeline;
  const timeline = isLater ? control.minRecoveryTimeline : control.checkpointTimeline;
  const from = formatLsn(isLater ? control.minRecoveryLsn : control.checkpointLsn);
  const end = await lastRecord(
    place.account,
    join(place.binaries, 'pg_waldump'),
    [...['--path', join(layout.data, 'pg_wal')], ...['--timeline', String(timeline), '--start', from]],
    signal,
  );
  return {
    node: node.node,
    systemIdentifier: control.systemIdentifier,
    wasPrimary: !existsSync(layout.standbySignal),
    timeline,
    lsn: end ?? from,
  };
}

async function lastRecord(
  account: Account | null,
  program: string,
  args: readonly string[],
  signal: AbortSignal,
): Promise<string | null> {
  const user = account === null ? {} : { user: { uid: account.uid, gid: account.gid } };
  // It always ends with an error: there is no more valid WAL.
  const options = { withinMs: readWithinMs, signal, cwd: '/', anyExit: true, maxOutputBytes: keptBytes, ...user };
  const { stdout } = await run(program, args, options);
  const found = [...stdout.matchAll(/\blsn: ([0-9A-F]+\/[0-9A-F]+)/g)].at(-1)?.[1];
  const lsn = parseLsn(found ?? '');
  return lsn === undefined ? null : formatLsn(lsn);
}

/** The furthest first; of equals the last primary, which needs no promotion. */
export function furthestFirst(all: readonly Examined[]): readonly Standing[] {
  return all
    .flatMap((one) => ('lsn' in one ? [one] : []))
    .sort((a, b) => b.timeline - a.timeline || compareLsn(b.lsn, a.lsn) || Number(b.wasPrimary) - Number(a.wasPrimary));
}

function compareLsn(a: string, b: string): number {
  const [left, right] = [parseLsn(a) ?? 0n, parseLsn(b) ?? 0n];
  return left === right ? 0 : left > right ? 1 : -1;
}
