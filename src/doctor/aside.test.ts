import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { examiner } from './aside.ts';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'us-aside-'));
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** Stands in for the command line. */
function program(text: string): string {
  const path = join(directory, 'program.mjs');
  writeFileSync(path, `import { appendFileSync } from 'node:fs';\n${text}`);
  return path;
}

it('answers with what the program found, and runs it once for all who ask meanwhile', async () => {
  const runs = join(directory, 'runs');
  const found = { check: 'disk', verdict: 'failure', text: 'full', hint: 'free some' };
  const examine = examiner(
    program(`appendFileSync(${JSON.stringify(runs)}, process.argv.slice(2).join(' ') + '\\n');
      console.log(${JSON.stringify(JSON.stringify([{ node: null, findings: [found] }]))});
      process.exitCode = 1;`),
    '/etc/node.yaml',
  );
  expect(await Promise.all([examine(), examine()])).toEqual([[found], [found]]);
  expect(readFileSync(runs, 'utf8')).toBe('doctor --config /etc/node.yaml --json\n');
});

it('says so when the checks do not end, or fail', async () => {
  const hangs = examiner(program('setInterval(() => undefined, 1_000);'), '/etc/node.yaml', 500);
  expect(await hangs()).toMatchObject([
    { check: 'doctor', verdict: 'failure', text: expect.stringContaining('0.5 s') },
  ]);
  const fails = examiner(program('throw new Error("no");'), '/etc/node.yaml');
  expect(await fails()).toMatchObject([
    { check: 'doctor', verdict: 'failure', text: expect.stringContaining('failed') },
  ]);
});
