/** Processes of a server that somebody stopped by a signal: nothing else would ever make them go on. */
import { processesIn, readProcess } from '../process/identity.ts';
import { sendSignal } from '../process/signal.ts';

/** Continues those of this data directory. */
export function continueStopped(data: string): void {
  for (const process of processesIn(data)) {
    if (readProcess(process.pid)?.state === 'T') sendSignal(process, 'SIGCONT');
  }
}
