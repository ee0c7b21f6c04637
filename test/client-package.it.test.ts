/** What is published of @understudy/client, as somebody sees it who installs it: nothing of this repository is beside it. */
import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const run = promisify(execFile);
const root = join(import.meta.dirname, '..');
const modules = join(root, 'node_modules');
let place: string;
let project: string;
let packed: string[];

function described(directory: string): Record<string, Record<string, string> | undefined> {
  return JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8'));
}

/** With what they depend on, from what is installed here, so that no network is needed. */
function copyPackages(names: readonly string[]): void {
  for (const name of names) {
    const target = join(project, 'node_modules', name);
    if (existsSync(target)) continue;
    cpSync(join(modules, name), target, { recursive: true, dereference: true });
    copyPackages(Object.keys(described(target).dependencies ?? {}));
  }
}

async function npm(cwd: string, ...args: string[]): Promise<string> {
  const { stdout } = await run('npm', [...args, '--offline', '--no-audit', '--no-fund'], { cwd });
  return stdout;
}

async function node(name: string, text: string): Promise<unknown> {
  writeFileSync(join(project, name), text);
  const { stderr, stdout } = await run(process.execPath, [name], { cwd: project });
  expect(stderr).toBe('');
  return JSON.parse(stdout);
}

const dependencies = ['pg', '@types/pg', '@types/node'];

beforeAll(async () => {
  place = mkdtempSync(join(tmpdir(), 'understudy-client-'));
  const built = join(place, 'built');
  await run(process.execPath, [join(root, 'tools/build-client.mjs'), '--into', built]);
  const [pack] = JSON.parse(await npm(built, 'pack', '--json', '--pack-destination', place));
  packed = pack.files.map(({ path }: { path: string }) => path);
  project = join(place, 'project');
  mkdirSync(project);
  const versions = dependencies.map((name) => [name, String(described(join(modules, name)).version)]);
  const manifest = { private: true, type: 'module', dependencies: Object.fromEntries(versions) };
  writeFileSync(join(project, 'package.json'), JSON.stringify(manifest));
  copyPackages(dependencies);
  await npm(project, 'install', join(place, pack.filename));
}, 120_000);
afterAll(() => rmSync(place, { recursive: true, force: true }));

describe('the tarball', () => {
  it('holds compiled files, and what says what they are', () => {
    expect(packed).toEqual(expect.arrayContaining(['LICENSE', 'README.md', 'package.json', 'index.js', 'index.d.ts']));
    expect(
      packed.filter((path) => !/(\.js|\.d\.ts)$|^(LICENSE|README\.md|docs\/.*\.md|package\.json)$/.test(path)),
    ).toEqual([]);
    expect(packed.filter((path) => path.includes('.test.'))).toEqual([]);
  });

  it('depends on nothing, and lets the application choose its pg', () => {
    const installed = join(project, 'node_modules/@understudy/client');
    const { dependencies: needed, devDependencies, peerDependencies, scripts } = described(installed);
    expect({ needed, devDependencies, scripts }).toEqual({});
    expect(peerDependencies).toEqual({ pg: '^8.16.0' });
    expect(existsSync(join(installed, 'node_modules'))).toBe(false);
  });

  it('names no file of its source', () => {
    const installed = join(project, 'node_modules/@understudy/client');
    const files = readdirSync(installed, { recursive: true, encoding: 'utf8' }).filter((name) =>
      /\.(js|d\.ts)$/.test(name),
    );
    const source = files.filter((name) =>
      /(from|import\()\s*['"]\.[^'"]*\.ts['"]/.test(readFileSync(join(installed, name), 'utf8')),
    );
    expect(source).toEqual([]);
  });
});

const use = `
const db = new client.ClusterPool({ host: '/nowhere', topologySocket: null });
const token = await db.session(null, (session) => session.token());
const signed = client.signToken(token, { secrets: ['of sixteen characters'] });
const verified = client.verifyToken(signed, { secrets: ['of sixteen characters'] });
const isPool = db instanceof pg.Pool;
const cookies = entries.map(({ sessionCookies }) => typeof sessionCookies(db, { secrets: ['of sixteen characters'] }));
const refused = await db.tx(async () => 1, { deadlineMs: 1 }).catch((error) => error instanceof client.ClusterError);
await db.end();
console.log(JSON.stringify({ isPool, isSame: token === verified, cookies, refused, mode: db.status().mode }));
`;
const used = {
  isPool: true,
  isSame: true,
  cookies: ['function', 'function', 'function'],
  refused: true,
  mode: 'unknown',
};
const entryNames = ['express', 'fastify', 'hono'].map((name) => `@understudy/client/${name}`);

describe('from JavaScript', () => {
  it('is imported', async () => {
    const head = `import pg from 'pg';
import * as client from '@understudy/client';
const entries = await Promise.all(${JSON.stringify(entryNames)}.map((name) => import(name)));`;
    expect(await node('use.mjs', `${head}${use}`)).toEqual(used);
  });

  it('is required from CommonJS', async () => {
    const head = `const pg = require('pg');
const client = require('@understudy/client');
const entries = ${JSON.stringify(entryNames)}.map((name) => require(name));`;
    writeFileSync(join(project, 'use.cjs'), `${head}\n(async () => {${use}})();`);
    // Node 20 and 22 say that this is new.
    const { stdout } = await run(process.execPath, ['--no-warnings', 'use.cjs'], { cwd: project });
    expect(JSON.parse(stdout)).toEqual(used);
  });

  it('has one entry for each name, and no way to its insides', async () => {
    const { exports: exported } = described(join(project, 'node_modules/@understudy/client'));
    expect(Object.keys(exported ?? {})).toEqual(
      expect.arrayContaining(['.', './express', './fastify', './hono', './topology', './typeorm']),
    );
    const inside = `import('@understudy/client/errors.js').catch(({ code }) => console.log(JSON.stringify(code)));`;
    expect(await node('inside.mjs', inside)).toBe('ERR_PACKAGE_PATH_NOT_EXPORTED');
  });
});

/** What the compiler says of files of a project, its packages' declarations checked as well. */
async function tsc(files: readonly string[]): Promise<readonly string[]> {
  const compilerOptions = {
    strict: true,
    exactOptionalPropertyTypes: true,
    module: 'nodenext',
    target: 'es2022',
    lib: ['es2022'],
    types: ['node'],
    noEmit: true,
    skipLibCheck: false,
    skipDefaultLibCheck: true,
  };
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }));
  const { stdout } = await run(process.execPath, [join(modules, 'typescript/bin/tsc'), '-p', '.'], {
    cwd: project,
  }).catch((failed: { stdout: string }) => failed);
  return stdout.split('\n').filter((line) => line !== '');
}

/** One run of the compiler for all, since it is slow. */
it('has the types that it promises, for ES modules and CommonJS', async () => {
  cpSync(join(root, 'test/fixtures/client-types.ts'), join(project, 'types.ts'));
  const common = `import { ClusterPool } from '@understudy/client';
import pg = require('pg');
export const pool: pg.Pool = new ClusterPool();
`;
  writeFileSync(join(project, 'types.cts'), common);
  writeFileSync(join(project, 'wrong.cts'), `${common}new ClusterPool({ deadlineMs: 'long' });\n`);
  expect(await tsc(['types.ts', 'types.cts', 'wrong.cts'])).toEqual([
    "wrong.cts(4,19): error TS2322: Type 'string' is not assignable to type 'number'.",
  ]);
});
