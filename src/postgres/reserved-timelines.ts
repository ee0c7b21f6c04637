/**
 * Makes PostgreSQL choose a given timeline when it is promoted: it takes the first number for which it finds no history
 * file, so the numbers in between, which other terms may have used elsewhere, get one (timeline.c, findNewestTimeLine).
 *
 * What is written says that the timeline left its parent at 0/0, so that no server ever takes it for its own future.
 * The files are marked, written at the last moment, and taken away again before a standby starts, where a newer
 * timeline that is not this server's own would keep it from starting.
 */
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { keepFile } from './durable-files.ts';
import { historyName } from './wal-timeline.ts';

const mark = 'reserved by understudy: a timeline of another term';

function historyFile(data: string, timeline: number): string {
  return join(data, 'pg_wal', historyName(timeline));
}

function read(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}

/** Those between the server's own and the wanted one. */
export async function reserveTimelines(data: string, local: number, wanted: number): Promise<void> {
  for (let timeline = local + 1; timeline < wanted; timeline += 1) {
    const path = historyFile(data, timeline);
    if (read(path) === null) await keepFile(path, `${local}\t0/0\t${mark}\n`);
  }
}

/** Removes what an interrupted promotion left. */
export function releaseTimelines(data: string): void {
  const directory = join(data, 'pg_wal');
  const names = readdirSync(directory, { withFileTypes: true })
    .map(({ name }) => name)
    .filter((name) => /^[0-9A-F]{8}\.history$/.test(name))
    .sort();
  const texts = names.map((name) => read(join(directory, name)) ?? '');
  const lastReal = texts.findLastIndex((text) => !text.includes(mark));
  // Below a timeline that exists they do no harm, and keep its number from being taken anew.
  for (const name of names.slice(lastReal + 1)) rmSync(join(directory, name), { force: true });
}
