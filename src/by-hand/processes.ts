/** What of a node runs on this machine: found by what it works on, never by name alone. */
import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { NodeFile } from '../config/node-file.ts';
import { identify, type ProcessIdentity, processesIn, readCommandLine, readExecutable } from '../process/identity.ts';
import { dataDirectory, type Place } from './place.ts';

export interface Running {
  /** Agents and fences: none of them may act any more. */
  readonly automation: readonly ProcessIdentity[];
  /** Everything that works in the data directory. */
  readonly postgres: readonly ProcessIdentity[];
  readonly pooler: ProcessIdentity | null;
}

export function poolerFile({ directories }: NodeFile): string {
  return join(directories.state, 'pgbouncer', 'pgbouncer.ini');
}

export function whatRuns(place: Place, node: NodeFile): Running {
  const { run, state } = node.directories;
  const socket = join(run, 'fence.sock');
  const settings = poolerFile(node);
  const automation: ProcessIdentity[] = [];
  let pooler: ProcessIdentity | null = null;
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    const words = readCommandLine(pid);
    const file = words[words.indexOf('--config') + 1] ?? '';
    // The node file stands beside the state directory on a stage, and in /etc on a server.
    const isAgent =
      words.includes('agent') && (file === join(state, '..', 'node.yaml') || (place.stage === null && file !== ''));
    const found = isAgent || words.includes(socket) || words.includes(settings) ? identify(pid) : null;
    if (found === null) continue;
    if (basename((readExecutable(pid) ?? '').replace(/ \(deleted\)$/, '')) === 'pgbouncer') pooler = found;
    else automation.push(found);
  }
  return { automation, postgres: processesIn(dataDirectory(place, node)), pooler };
}
