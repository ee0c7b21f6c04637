/** Uploads in several parts: a directory each, until they become one object. */
import { createHash, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { putObject } from './objects.ts';

function directoryOf(bucket: string, id: string): string | null {
  const directory = join(bucket, `upload-${id}`);
  return /^[0-9a-f-]{36}$/.test(id) && existsSync(directory) ? directory : null;
}

export function beginUpload(bucket: string): string {
  const id = randomUUID();
  mkdirSync(join(bucket, `upload-${id}`));
  return id;
}

/** `null`: there is no such upload. */
export function putPart(bucket: string, id: string, part: number, body: Buffer): string | null {
  const directory = directoryOf(bucket, id);
  if (directory === null) return null;
  writeFileSync(join(directory, String(part)), body);
  return createHash('md5').update(body).digest('hex');
}

/** `false`: there is no such upload, or not all of these parts. */
export function completeUpload(bucket: string, id: string, key: string, parts: readonly number[]): boolean {
  const directory = directoryOf(bucket, id);
  if (directory === null || parts.length === 0) return false;
  const files = parts.map((part) => join(directory, String(part)));
  if (!files.every((file) => existsSync(file))) return false;
  putObject(bucket, key, Buffer.concat(files.map((file) => readFileSync(file))));
  rmSync(directory, { recursive: true });
  return true;
}

export function abortUpload(bucket: string, id: string): void {
  const directory = directoryOf(bucket, id);
  if (directory !== null) rmSync(directory, { recursive: true });
}
