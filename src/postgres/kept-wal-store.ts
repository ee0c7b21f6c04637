/**
 * The state directory's `diverged/`: WAL that one node had and the cluster has not, and the account of it.
 *
 *   diverged/<timeline>-<lsn>/report.json
 *   diverged/<timeline>-<lsn>/wal/<segments>
 *
 * Invariant: an entry is there as a whole or not at all: it is made under another name, synced, and renamed. Only WAL is
 * ever removed, and only by the plan of core/kept-wal.ts; the report stays.
 */
import { constants, existsSync } from 'node:fs';
import { copyFile, mkdir, open, readdir, rename, rm, stat, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type KeptWal, type KeptWalLimits, type Pruning, planPruning } from '../core/kept-wal.ts';
import type { LostReport } from '../core/lost-report.ts';
import { lostReport } from '../records/lost-schema.ts';
import { readOptional, replaceFile, syncDirectory } from './durable-files.ts';

const unfinished = '.unfinished';
const reportFile = 'report.json';

export function keptWalIn(state: string) {
  const home = join(state, 'diverged');
  const at = (id: string, ...parts: readonly string[]) => join(home, id, ...parts);

  const read = async (id: string): Promise<LostReport | null> => {
    const text = await readOptional(at(id, reportFile));
    if (text === null) return null;
    try {
      const parsed = lostReport.safeParse(JSON.parse(text));
      return parsed.success ? parsed.data : null;
    } catch {
      return null; // not what was written: made anew when it is needed
    }
  };

  const ids = async (): Promise<readonly string[]> => {
    if (!existsSync(home)) return [];
    return (await readdir(home)).filter((name) => !name.endsWith(unfinished)).sort();
  };

  const bytesOf = async (id: string): Promise<number> => {
    const wal = at(id, 'wal');
    if (!existsSync(wal)) return 0;
    const sizes = await Promise.all((await readdir(wal)).map(async (name) => (await stat(join(wal, name))).size));
    return sizes.reduce((sum, size) => sum + size, 0);
  };

  return {
    read,

    /** Oldest first. */
    async reports(): Promise<readonly LostReport[]> {
      const all = await Promise.all((await ids()).map(read));
      return all.flatMap((report) => report ?? []).sort((a, b) => (a.at < b.at ? -1 : 1));
    },

    /** Removes what the limits demand before so much is added; answers what went, and what there is room for. */
    async makeRoom(limits: KeptWalLimits, incomingBytes: number, nowMs: number): Promise<Pruning> {
      await mkdir(home, { recursive: true, mode: 0o700 });
      const kept: KeptWal[] = [];
      for (const id of await ids()) {
        const madeAtMs = (await stat(at(id))).mtimeMs;
        kept.push({ id, bytes: await bytesOf(id), ageMs: nowMs - madeAtMs });
      }
      const plan = planPruning(kept, limits, incomingBytes);
      for (const { id } of plan.remove) {
        await rm(at(id, 'wal'), { recursive: true, force: true });
        const report = await read(id);
        if (report !== null) await replaceFile(at(id, reportFile), JSON.stringify({ ...report, keptBytes: 0 }));
      }
      const { bavail, bsize } = await statfs(home);
      // The other half is the server's.
      return { ...plan, roomBytes: Math.min(plan.roomBytes, Math.floor((bavail * bsize) / 2)) };
    },

    /** Copies the files, and makes them visible under that name with the report. Throws ENOSPC and the like. */
    async keep(report: LostReport, files: readonly string[]): Promise<void> {
      const building = at(`${report.id}${unfinished}`);
      await rm(building, { recursive: true, force: true });
      const wal = join(building, 'wal');
      await mkdir(wal, { recursive: true, mode: 0o700 });
      for (const file of files) {
        const copy = join(wal, file.slice(dirname(file).length + 1));
        await copyFile(file, copy, constants.COPYFILE_FICLONE);
        const handle = await open(copy, 'r+');
        await handle.sync().finally(() => handle.close());
      }
      await syncDirectory(wal);
      await replaceFile(join(building, reportFile), JSON.stringify(report));
      await rm(at(report.id), { recursive: true, force: true });
      await rename(building, at(report.id));
      await syncDirectory(home);
    },

    async amend(report: LostReport): Promise<void> {
      await replaceFile(at(report.id, reportFile), JSON.stringify(report));
    },
  };
}
