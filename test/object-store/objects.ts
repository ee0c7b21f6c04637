/**
 * The objects of a bucket as files: `a/b` is `a.in/b.object`, so that no key is another's directory.
 *
 * Invariant: an object is there as a whole or not at all, also when the server is killed.
 */
import { createHash, randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

export interface StoredObject {
  readonly key: string;
  readonly size: number;
  readonly modified: Date;
}

const objectSuffix = '.object';
const directorySuffix = '.in';

export function fileOf(bucket: string, key: string): string {
  const segments = key.split('/').map((segment) => encodeURIComponent(segment));
  const last = segments.pop() ?? '';
  return join(bucket, ...segments.map((segment) => segment + directorySuffix), last + objectSuffix);
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
}

function* walk(directory: string, prefix: string): Generator<StoredObject> {
  let entries: readonly string[];
  try {
    entries = readdirSync(directory);
  } catch (error) {
    if (isMissing(error)) return;
    throw error;
  }
  for (const entry of entries) {
    const path = join(directory, entry);
    if (entry.endsWith(directorySuffix)) {
      yield* walk(path, `${prefix}${decodeURIComponent(entry.slice(0, -directorySuffix.length))}/`);
    } else if (entry.endsWith(objectSuffix)) {
      const stat = statSync(path, { throwIfNoEntry: false });
      if (stat === undefined) continue;
      yield {
        key: prefix + decodeURIComponent(entry.slice(0, -objectSuffix.length)),
        size: stat.size,
        modified: stat.mtime,
      };
    }
  }
}

/** Whose keys begin with the prefix, in the order of their keys. */
export function listObjects(bucket: string, prefix = ''): readonly StoredObject[] {
  const parent = prefix.slice(0, prefix.lastIndexOf('/') + 1);
  const segments = parent.split('/').filter((segment) => segment !== '');
  const start = join(bucket, ...segments.map((segment) => encodeURIComponent(segment) + directorySuffix));
  return [...walk(start, parent)].filter(({ key }) => key.startsWith(prefix)).sort((a, b) => (a.key < b.key ? -1 : 1));
}

export function readObject(bucket: string, key: string): { readonly body: Buffer; readonly modified: Date } | null {
  try {
    const file = fileOf(bucket, key);
    return { body: readFileSync(file), modified: statSync(file).mtime };
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

export function putObject(bucket: string, key: string, body: Buffer): string {
  const file = fileOf(bucket, key);
  const partial = join(bucket, `partial-${randomUUID()}`);
  writeFileSync(partial, body);
  mkdirSync(dirname(file), { recursive: true });
  renameSync(partial, file);
  return createHash('md5').update(body).digest('hex');
}

export function removeObject(bucket: string, key: string): void {
  const file = fileOf(bucket, key);
  rmSync(file, { force: true });
  for (let directory = dirname(file); directory !== bucket; directory = dirname(directory)) {
    try {
      rmdirSync(directory);
    } catch {
      return; // others lie in it
    }
  }
}
