/**
 * Builds the program that the simulator's workers run: the sources as they are, or with one guard taken out.
 *
 * A plant lives in such a bundle and nowhere else. The file is written below node_modules, where the packages that it
 * imports are found, and belongs to whoever asked for it.
 */
import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';
import { type Plant, sow } from './planted.ts';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

export interface Bundle {
  /** Its directory holds nothing else. */
  readonly directory: string;
  readonly file: string;
}

/** Throws when the plant does not fit the source, or touches a file that the simulator does not run. */
export async function bundleWorker(plant: Plant | null): Promise<Bundle> {
  const sown = new Set<string>();
  const [output] = (
    await build({
      absWorkingDir: root,
      entryPoints: ['src/sim/worker.ts'],
      bundle: true,
      write: false,
      format: 'esm',
      platform: 'node',
      target: 'node20.19',
      packages: 'external',
      sourcemap: 'inline',
      sourcesContent: false,
      logLevel: 'warning',
      plugins: plant === null ? [] : [sower(plant, sown)],
    })
  ).outputFiles;
  const missing = plant?.edits.find(({ file }) => !sown.has(file));
  if (missing !== undefined) throw new Error(`${plant?.name}: the simulator does not run ${missing.file}`);
  if (output === undefined) throw new Error('the bundler wrote nothing');
  const cache = join(root, 'node_modules', '.cache');
  await mkdir(cache, { recursive: true });
  const directory = await mkdtemp(join(cache, 'sim-'));
  const file = join(directory, 'worker.mjs');
  await writeFile(file, output.contents);
  return { directory, file };
}

function sower(plant: Plant, sown: Set<string>): Plugin {
  const files = new Set(plant.edits.map(({ file }) => file));
  return {
    name: 'sow',
    setup({ onLoad }) {
      onLoad({ filter: /\.ts$/ }, async ({ path }) => {
        const file = relative(root, path);
        if (!files.has(file)) return undefined;
        sown.add(file);
        return { contents: sow(plant, file, await readFile(path, 'utf8')), loader: 'ts' };
      });
    },
  };
}
