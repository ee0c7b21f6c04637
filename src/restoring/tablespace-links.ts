/**
 * Tablespaces of a tree that was copied or renamed: their links name the place that it was before.
 *
 * Invariant: afterwards no link of the copy leads out of it, so that a server in it touches neither what it was copied from nor a path that
 * is in use. A link that leads elsewhere is refused and not mended.
 * With `keepOthers` it is left: of a directory that was somebody's before.
 */
import { existsSync, readdirSync, readFileSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { UnderstudyError } from '../errors/understudy-error.ts';

/** Where the repository puts the tablespaces of a directory. */
export function tablespacesOf(into: string): string {
  return `${into}.tablespaces`;
}

/** Throws REFUSED. */
export function moveTablespaceLinks(
  data: string,
  from: string,
  to: string,
  { keepOthers }: { readonly keepOthers: boolean } = { keepOthers: false },
): void {
  const directory = join(data, 'pg_tblspc');
  for (const name of existsSync(directory) ? readdirSync(directory) : []) {
    const link = join(directory, name);
    const target = readlinkSync(link);
    const moved = movedPath(target, from, to);
    if (moved === null && keepOthers) continue;
    if (moved === null || !existsSync(moved)) {
      throw new UnderstudyError('REFUSED', `tablespace ${name} lies in ${target}, outside of what was copied`);
    }
    rmSync(link);
    symlinkSync(moved, link);
  }
  if (!keepOthers) moveMap(join(data, 'tablespace_map'), from, to);
}

/** By which a server makes the links anew when it begins its recovery. */
function moveMap(file: string, from: string, to: string): void {
  if (!existsSync(file)) return;
  const lines = readFileSync(file, 'utf8').split('\n');
  const moved = lines.map((line) => {
    const [, oid = '', path = ''] = /^(\d+) (.*)$/.exec(line) ?? [];
    if (oid === '') return line;
    const own = movedPath(path, from, to);
    if (own === null)
      throw new UnderstudyError('REFUSED', `tablespace ${oid} lies in ${path}, outside of what was copied`);
    return `${oid} ${own}`;
  });
  writeFileSync(file, moved.join('\n'), { mode: 0o600 });
}

/** `null`: it is not below `from`, nor below `to` already. */
function movedPath(path: string, from: string, to: string): string | null {
  if (path.startsWith(`${to}/`)) return path;
  return path.startsWith(`${from}/`) ? join(to, path.slice(from.length + 1)) : null;
}
