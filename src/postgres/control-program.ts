/**
 * Reads the control file of a format that control-file.ts does not know by asking pg_controldata, some 5 ms slower.
 * Its labels are those of the C locale (versions 13 to 18).
 */
import { join } from 'node:path';
import { parseLsn } from '../core/lsn.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { run } from '../process/run.ts';
import type { Binaries } from './binaries.ts';
import type { ControlFile, ControlState } from './control-file.ts';
import type { Layout } from './layout.ts';
import { programEnvironment } from './program-environment.ts';

const states: Readonly<Record<string, ControlState>> = {
  'starting up': 'starting',
  'shut down': 'shut-down',
  'shut down in recovery': 'shut-down-in-recovery',
  'shutting down': 'shutting-down',
  'in crash recovery': 'crash-recovery',
  'in archive recovery': 'archive-recovery',
  'in production': 'in-production',
};

export function parseControlProgram(output: string): ControlFile | null {
  const values = new Map<string, string>();
  for (const line of output.split('\n')) {
    const colon = line.indexOf(':');
    if (colon > 0) values.set(line.slice(0, colon).trim(), line.slice(colon + 1).trim());
  }
  const systemIdentifier = values.get('Database system identifier');
  const state = states[values.get('Database cluster state') ?? ''];
  const checkpointLsn = parseLsn(values.get('Latest checkpoint location') ?? '');
  const minRecoveryLsn = parseLsn(values.get('Minimum recovery ending location') ?? '');
  if (!systemIdentifier || state === undefined || checkpointLsn === undefined || minRecoveryLsn === undefined)
    return null;
  return {
    systemIdentifier,
    formatVersion: Number(values.get('pg_control version number')),
    state,
    checkpointLsn,
    checkpointTimeline: Number(values.get("Latest checkpoint's TimeLineID")),
    minRecoveryLsn,
    minRecoveryTimeline: Number(values.get("Min recovery ending loc's timeline")),
    walSegmentBytes: Number(values.get('Bytes per WAL segment')),
    checksums: values.get('Data page checksum version') !== '0',
  };
}

/** Throws POSTGRES_FAILED when it can't be read in this way either. */
export async function readForeignControl(layout: Layout, binaries: Binaries): Promise<ControlFile> {
  const program = join(binaries.directory, 'pg_controldata');
  const { stdout } = await run(program, ['-D', layout.data], { withinMs: 5_000, env: programEnvironment() });
  const control = parseControlProgram(stdout);
  if (control === null)
    throw new UnderstudyError('POSTGRES_FAILED', `the control file of ${layout.data} can't be read`);
  return control;
}
