/** What a process costs: memory from smaps_rollup, processor time from stat (proc(5)). Reads processes of root or one's own. */
import { readFileSync } from 'node:fs';

/** Clock ticks per second: the kernel's interface to user space, 100 on every Linux that Node runs on. */
const ticksPerSecond = 100;

export interface Memory {
  readonly rssMb: number;
  /** Pages that several processes share are divided among them. */
  readonly pssMb: number;
}

export function memoryOf(pid: number): Memory {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const megabytes = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1]) / 1024;
  return { rssMb: megabytes('Rss'), pssMb: megabytes('Pss') };
}

/** User and system time so far, in ms. */
export function processorMs(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[11]) + Number(fields[12])) / ticksPerSecond) * 1_000;
}
