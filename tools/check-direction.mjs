/**
 * Holds the direction of imports, and proves that the check can fail: each planted violation must be found.
 * Also holds the purity of src/core: no clock, no timer, no chance, no process.
 *
 * Invariant: nothing planted outlives it, also when it is interrupted. What one that was killed left is removed first.
 */
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The topology's wire types may be named in the core; nothing of the client may run there. */
const clientCode = /import (?!type)[^;]*@understudy\/client/;
const impure = /\bDate\b|\bsetTimeout\b|\bsetInterval\b|\bsetImmediate\b|Math\.random|\bprocess\.|\bperformance\b/;
const planted = [
  {
    file: 'src/core/planted-violation.ts',
    text: "import { readFileSync } from 'node:fs';\nexport const planted = readFileSync;\n",
  },
  {
    file: 'src/etcd/planted-violation.ts',
    text: "import { parseVersion } from '../postgres/binaries.ts';\nexport const planted = parseVersion;\n",
  },
  {
    file: 'src/agent/planted-violation.ts',
    text: "import { createEtcdStore } from '../etcd/store.ts';\nexport const planted = createEtcdStore;\n",
  },
  {
    file: 'src/api/planted-violation.ts',
    text: "import { spawn } from 'node:child_process';\nexport const planted = spawn;\n",
  },
];

let running = null;

/** Not waited for synchronously: a signal would be heard only afterwards. */
function cruise() {
  return new Promise((resolve, reject) => {
    const child = spawn('npx', ['depcruise', '--output-type', 'err', 'src', 'packages/client/src']);
    running = child;
    let text = '';
    for (const output of [child.stdout, child.stderr]) {
      output.on('data', (chunk) => {
        text += chunk;
      });
    }
    child.on('error', reject);
    child.on('close', (code) => resolve({ failed: code !== 0, text }));
  });
}

function uproot() {
  for (const { file } of planted) rmSync(file, { force: true });
}

for (const [signal, exit] of [
  ['SIGHUP', 129],
  ['SIGINT', 130],
  ['SIGTERM', 143],
]) {
  process.on(signal, () => {
    running?.kill();
    uproot();
    process.exit(exit);
  });
}

function impureFiles() {
  return readdirSync('src/core', { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
    .filter((name) => {
      const code = readFileSync(join('src/core', name), 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
      return impure.test(code) || clientCode.test(code);
    });
}

uproot();
const clean = await cruise();
if (clean.failed) {
  console.error(clean.text);
  process.exit(1);
}
const impureNames = impureFiles();
if (impureNames.length > 0) {
  console.error(`the pure core touches the world in ${impureNames.join(', ')}`);
  process.exit(1);
}
for (const { file, text } of planted) {
  try {
    writeFileSync(file, text);
    if (!(await cruise()).failed) {
      console.error(`the check did not see the violation planted in ${file}`);
      process.exitCode = 1;
    }
  } finally {
    rmSync(file, { force: true });
  }
}
if (process.exitCode === undefined)
  console.log(`imports point the right way; ${planted.length} planted violations were seen`);
