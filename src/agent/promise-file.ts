/**
 * The node's promise record on its own disk: written beside, synced, renamed, so that a crash leaves the old or the new
 * one. A file that can't be understood is an error and never `none`: the node may have bound itself to anything.
 */
import { readFileSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import type { PromiseRecord } from '../core/promise.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { PromiseFile } from '../ports/promise-file.ts';

const count = z.int().min(0);
const schema: z.ZodType<PromiseRecord> = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('none') }),
  z.strictObject({ kind: z.literal('cut'), term: count }),
  z.strictObject({
    kind: z.literal('promised'),
    term: count,
    round: count,
    untilMs: z.number(),
    bootId: z.string(),
    cut: count,
  }),
]);

export function promiseFileIn(stateDirectory: string): PromiseFile {
  const path = join(stateDirectory, 'promise.json');
  return {
    read() {
      let text: string;
      try {
        text = readFileSync(path, 'utf8');
      } catch (cause) {
        if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return { kind: 'none' };
        throw new UnderstudyError('PROMISE_UNREADABLE', `can't read ${path}`, { cause });
      }
      try {
        return schema.parse(JSON.parse(text));
      } catch (cause) {
        throw new UnderstudyError('PROMISE_UNREADABLE', `${path} is no promise record`, { cause });
      }
    },
    async write(record) {
      const next = `${path}.next`;
      await rm(next, { force: true });
      const file = await open(next, 'wx', 0o600);
      try {
        await file.writeFile(`${JSON.stringify(record)}\n`);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(next, path);
      const directory = await open(dirname(path), 'r');
      try {
        await directory.sync();
      } finally {
        await directory.close();
      }
    },
  };
}
