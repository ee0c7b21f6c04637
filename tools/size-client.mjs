/** Builds and packs @understudy/client, and prints how large it is, as JSON: `npm run size:client`. Nothing is left behind. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const directory = mkdtempSync(join(tmpdir(), 'understudy-client-size-'));
try {
  const built = join(directory, 'built');
  execFileSync(process.execPath, [join(root, 'tools/build-client.mjs'), '--into', built], { stdio: 'inherit' });
  const said = execFileSync('npm', ['pack', '--json', '--dry-run'], {
    cwd: built,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [{ files, size, unpackedSize }] = JSON.parse(said);
  const scripts = files.filter(({ path }) => path.endsWith('.js'));
  const described = JSON.parse(readFileSync(join(built, 'package.json'), 'utf8'));
  const minified = {};
  for (const [name, { default: file }] of Object.entries(described.exports).filter(
    ([, to]) => typeof to === 'object',
  )) {
    const { outputFiles } = await build({
      entryPoints: [join(built, file)],
      bundle: true,
      minify: true,
      write: false,
      format: 'esm',
      platform: 'node',
      target: 'node20.19',
      external: ['pg'],
      legalComments: 'none',
    });
    const [{ contents }] = outputFiles;
    minified[name] = { bytes: contents.length, gzipBytes: gzipSync(contents, { level: 9 }).length };
  }
  const sizes = {
    tarballBytes: size,
    unpackedBytes: unpackedSize,
    scriptFiles: scripts.length,
    scriptBytes: scripts.reduce((sum, file) => sum + file.size, 0),
    minified,
    dependencies: Object.keys(described.dependencies ?? {}).length,
    peerDependencies: Object.keys(described.peerDependencies ?? {}).length,
  };
  console.log(JSON.stringify(sizes, null, 2));
} finally {
  rmSync(directory, { recursive: true, force: true });
}
