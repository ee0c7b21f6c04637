/**
 * Makes of packages/client what is published: JavaScript and types in packages/client/dist, with a package.json of its own.
 * `--into DIR` puts it there instead.
 *
 * Invariant: the directory is replaced as a whole, and only when everything could be made. What is exported is said once, in
 * packages/client/package.json, as files of the source; each is exported by what it was compiled to.
 */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const source = join(root, 'packages/client');
const { values } = parseArgs({ options: { into: { type: 'string', default: join(source, 'dist') } } });
const target = resolve(values.into);

/** The compiler rewrites imports in JavaScript only. */
function rewriteTypes(directory) {
  for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.d.ts')) continue;
    const path = join(directory, name);
    const text = readFileSync(path, 'utf8');
    writeFileSync(path, text.replace(/(from |import\()(['"])(\.[^'"]*)\.ts\2/g, '$1$2$3.js$2'));
  }
}

function exportsOf(exported, directory) {
  const compiled = Object.entries(exported).map(([name, file]) => {
    const stem = file.replace(/^\.\/src\//, './').replace(/\.ts$/, '');
    for (const made of [`${stem}.js`, `${stem}.d.ts`]) {
      if (!existsSync(join(directory, made))) throw new Error(`${name} is ${file}, and there is no ${made}`);
    }
    return [name, { types: `${stem}.d.ts`, default: `${stem}.js` }];
  });
  return { ...Object.fromEntries(compiled), './package.json': './package.json' };
}

const made = mkdtempSync(`${target}-`);
try {
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const project = join(source, 'tsconfig.build.json');
  execFileSync(process.execPath, [tsc, '-p', project, '--outDir', made], { stdio: 'inherit' });
  rewriteTypes(made);
  const { exports: exported, ...described } = JSON.parse(readFileSync(join(source, 'package.json'), 'utf8'));
  const published = { ...described, exports: exportsOf(exported, made) };
  writeFileSync(join(made, 'package.json'), `${JSON.stringify(published, null, 2)}\n`);
  copyFileSync(join(source, 'README.md'), join(made, 'README.md'));
  cpSync(join(source, 'docs'), join(made, 'docs'), { recursive: true });
  copyFileSync(join(root, 'LICENSE'), join(made, 'LICENSE'));
  chmodSync(made, 0o755);
  rmSync(target, { recursive: true, force: true });
  renameSync(made, target);
} catch (error) {
  rmSync(made, { recursive: true, force: true });
  // What the compiler says is on the screen already.
  console.error(error instanceof Error && !('status' in error) ? error.message : 'packages/client does not compile');
  process.exitCode = 1;
}
