/**
 * What a data directory tells of its server while none runs in it.
 *
 * Invariant: `absent` and `unfinished` are said only of what is ours to fill; anything that can't be told apart from
 * somebody else's is `foreign`. Looks, and changes nothing.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { LocalPostgres } from '../core/cluster-view.ts';
import { readQuietly } from '../process/quiet-file.ts';
import type { Binaries } from './binaries.ts';
import { type ControlFile, controlTimeline, readControl } from './control-file.ts';
import { readForeignControl } from './control-program.ts';
import { hasContent, readJournal } from './journal.ts';
import type { Layout } from './layout.ts';

/** In which role the server ran last, from how it was left. */
function lastRole(control: ControlFile, layout: Layout): 'primary' | 'standby' {
  if (control.state === 'shut-down-in-recovery') return 'standby';
  // A copy of a running primary carries that primary's state; its label tells that it is a copy.
  if (existsSync(layout.backupLabel)) return 'standby';
  return control.state === 'archive-recovery' && existsSync(layout.standbySignal) ? 'standby' : 'primary';
}

function describeStopped(control: ControlFile, layout: Layout): LocalPostgres {
  const clean = control.state === 'shut-down' || control.state === 'shut-down-in-recovery';
  return {
    state: 'stopped',
    systemIdentifier: control.systemIdentifier,
    timeline: controlTimeline(control),
    checkpointLsn: control.checkpointLsn,
    shutdown: clean ? 'clean' : 'crashed',
    lastRole: lastRole(control, layout),
  };
}

/** `null`: there is no cluster. Throws when that can't be told. */
function readMajor(layout: Layout): string | null {
  try {
    return readQuietly(join(layout.data, 'PG_VERSION')).toString('utf8').trim();
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) return null;
    throw error;
  }
}

/** No process of the data directory lives. Throws what reading the directory or asking pg_controldata throws. */
export async function observeAtRest(
  layout: Layout,
  declaredMajor: number,
  binaries: () => Promise<Binaries>,
): Promise<LocalPostgres> {
  const version = readMajor(layout);
  // A look at a directory's names leaves its note, too (quiet-file.ts): only where there is no cluster.
  if (version === null && !hasContent(layout.data)) {
    return (await readJournal(layout)).entry.step === 'nothing' ? { state: 'absent' } : { state: 'unfinished' };
  }
  // Never to be started, whatever it looks like.
  if ((await readJournal(layout)).rewind?.step === 'begun') return { state: 'unfinished' };
  if (version === null) return { state: 'foreign', because: `${layout.data} holds no PostgreSQL cluster` };
  if (version !== String(declaredMajor)) {
    return { state: 'foreign', because: `${layout.data} is of PostgreSQL ${version}, declared is ${declaredMajor}` };
  }
  const reading = readControl(layout.controlFile);
  switch (reading.found) {
    case 'control':
      return describeStopped(reading.control, layout);
    case 'unknown-format':
      return describeStopped(await readForeignControl(layout, await binaries()), layout);
    case 'nothing':
      return { state: 'foreign', because: `${layout.data} has no control file` };
    case 'unreadable':
      return { state: 'foreign', because: `${layout.data}: ${reading.because}` };
  }
}
