/**
 * Bundles the program into dist/: one entry, and chunks that are loaded when their verb is called, so that a short
 * command doesn't load what only the agent needs.
 *
 * Files of earlier builds are removed only when they are old: a program that was started from them may still load one.
 */
import { chmodSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const target = join(root, 'dist');
const staleAfterMs = 10 * 60_000;

const result = await build({
  absWorkingDir: root,
  entryPoints: {
    understudy: 'src/cli/main.ts',
    fence: 'src/fence/main.ts',
    issuer: 'src/issuer/main.ts',
    passage: 'src/passage/main.ts',
  },
  outdir: target,
  outExtension: { '.js': '.mjs' },
  chunkNames: 'chunk-[hash]',
  bundle: true,
  splitting: true,
  write: false,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  legalComments: 'none',
  // Optional, and loaded only by name.
  external: ['pg-native'],
  banner: {
    // CommonJS packages inside an ES module call `require` for Node's own modules.
    js: "import { createRequire as understudyRequire } from 'node:module';\nconst require = understudyRequire(import.meta.url);",
  },
  logLevel: 'warning',
});

mkdirSync(target, { recursive: true });
const written = new Set();
for (const file of result.outputFiles) {
  // Put in place whole: another process may be starting from it now.
  const temporary = `${file.path}.${process.pid}`;
  writeFileSync(temporary, file.contents);
  chmodSync(temporary, 0o644);
  renameSync(temporary, file.path);
  written.add(basename(file.path));
}
for (const name of readdirSync(target)) {
  const path = join(target, name);
  if (!written.has(name) && Date.now() - statSync(path).mtimeMs > staleAfterMs) rmSync(path, { recursive: true });
}
