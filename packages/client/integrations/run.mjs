/**
 * Tries @understudy/client with libraries of others: `npm run test:client-integrations`. Installs them when they are missing
 * or others are wanted, puts the built client among them, and runs the tests here, with vitest's arguments.
 *
 * Invariant: what is tried is the package as it is published, and there is one `pg` for it and the libraries.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '../../..');
const modules = join(here, 'node_modules');

function run(program, args, env = {}) {
  execFileSync(program, args, { cwd: here, stdio: 'inherit', env: { ...process.env, ...env } });
}

function isInstalled() {
  const done = join(modules, '.package-lock.json');
  return existsSync(done) && statSync(done).mtimeMs >= statSync(join(here, 'package-lock.json')).mtimeMs;
}

try {
  if (!isInstalled()) run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']);
  mkdirSync(join(modules, '@understudy'), { recursive: true });
  run(process.execPath, [join(root, 'tools/build-client.mjs'), '--into', join(modules, '@understudy/client')]);
  // Only migrations need the engine that Prisma would download first: any program will do in its place.
  const offline = { PRISMA_SCHEMA_ENGINE_BINARY: process.execPath, CHECKPOINT_DISABLE: '1' };
  run(
    process.execPath,
    [join(modules, 'prisma/build/index.js'), 'generate', '--schema', 'prisma/schema.prisma'],
    offline,
  );
  run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', '.']);
  run(process.execPath, [join(root, 'node_modules/vitest/vitest.mjs'), 'run', ...process.argv.slice(2)]);
} catch {
  // It has said by itself what is wrong.
  process.exitCode = 1;
}
