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
  metafile: true,
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

refuseHeavyStart(result.metafile.outputs);

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

/** What every command loads before it knows its verb must be light: a tenth of a second is much, several times each minute. */
function refuseHeavyStart(outputs) {
  const heavy = ['@peculiar/x509', 'croner', 'pg', 'yaml', 'zod'].map((name) => `node_modules/${name}/`);
  const loaded = [Object.keys(outputs).find((path) => outputs[path].entryPoint === 'src/cli/main.ts')];
  for (const path of loaded) {
    const { imports, inputs } = outputs[path];
    const found = Object.keys(inputs).find((input) => heavy.some((start) => input.startsWith(start)));
    if (found !== undefined) throw new Error(`${found} would be loaded by every command: import it where it is used`);
    for (const one of imports) {
      if (one.kind === 'import-statement' && one.path in outputs && !loaded.includes(one.path)) loaded.push(one.path);
    }
  }
}
