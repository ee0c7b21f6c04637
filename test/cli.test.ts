/** The command line from arguments to exit code, with injected streams and no cluster at all. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { completionScript } from '../src/cli/completion.ts';
import { createProgram } from '../src/cli/run-cli.ts';
import { version } from '../src/version.ts';
import { runToEnd } from './fixtures/cli-run.ts';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'understudy-cli-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const cli = (...argv: readonly string[]) => runToEnd(argv, { directory });

function verbsOf(command: Command): readonly Command[] {
  return command.commands.flatMap((verb) => [verb, ...verbsOf(verb)]);
}

const program = createProgram(
  { stdout: { write: () => true }, stderr: { write: () => true }, env: {}, cwd: '/' },
  async () => {},
);

describe('usage', () => {
  it('an unknown verb names the nearest', async () => {
    expect(await cli('statsu')).toEqual({
      exit: 2,
      out: '',
      err: "understudy: unknown command 'statsu'\nhint: did you mean status?\n",
    });
  });

  it('help of an unknown verb names the nearest', async () => {
    const err = "understudy: unknown command 'statsu'\nhint: did you mean status?\n";
    expect(await cli('help', 'statsu')).toEqual({ exit: 2, out: '', err });
    expect((await cli('stage', 'help', 'dwon')).err).toContain('did you mean down?');
    expect((await cli('help', 'xyzzy')).err).toContain("unknown command 'xyzzy'\nhint: understudy --help");
    expect(await cli('help', 'status')).toMatchObject({ exit: 0, out: expect.stringContaining('Usage: understudy') });
    expect((await cli('help')).exit).toBe(0);
  });

  it('a mistake is told as JSON when JSON was asked for', async () => {
    const { exit, err } = await cli('status', '--json', '--wacth');
    expect(exit).toBe(2);
    expect(JSON.parse(err)).toMatchObject({ code: 'REQUEST_INVALID', hint: 'did you mean --watch?' });
  });

  it.each([
    ['switchover', '--pace', 'soon'],
    ['switchover', '--force-after', 'soon'],
    ['stage', 'up', '--nodes', '0'],
    ['stage', 'load', '--workload', 'reads'],
    ['stage', 'load', '--writers', '0'],
    ['stage', 'load', '--commit', 'remote'],
    ['stage', 'load', '--for', '0'],
    ['why', '--node', ''],
    ['reinit', ''],
    ['events', '--after', '-1'],
    ['completion', 'tcsh'],
    ['reinit'],
    ['stage'],
    [],
  ])('%s %s %s is wrong usage', async (...argv) => {
    expect((await cli(...argv)).exit).toBe(2);
  });

  it('says what would be right where something needed was left out', async () => {
    const fault = await cli('stage', 'fault', 'kill', 'db1');
    expect(fault.exit).toBe(2);
    expect(fault.err).toContain("'--what <processes>' not specified: one of agent, postmaster, postgres");
    expect((await cli('read-only')).err).toContain("missing required argument 'state': one of on, off");
    expect((await cli('agent')).err).toContain("'--config <file>' not specified: the node file");
    expect((await cli('reinit')).err).toContain("'node': the standby");
  });

  it.each(verbsOf(program).map((verb) => [pathOf(verb)]))('%s --help succeeds', async (path) => {
    const { exit, out, err } = await cli(...path.split(' '), '--help');
    expect({ exit, err }).toEqual({ exit: 0, err: '' });
    expect(out).toContain('Usage: understudy');
  });

  it.each(
    verbsOf(program)
      .filter((verb) => verb.commands.length === 0 && verb.name() !== 'keep')
      .map((verb) => [pathOf(verb)]),
  )('the help of %s has an example', async (path) => {
    const { out } = await cli(...path.split(' '), '--help');
    expect(out).toMatch(/Examples?:\n/);
    expect(out).toContain(`understudy ${path}`);
  });

  it('tells its version', async () => {
    expect(await cli('version')).toEqual({ exit: 0, out: `understudy ${version}\n`, err: '' });
    expect(JSON.parse((await cli('version', '--json')).out)).toMatchObject({ version });
    expect((await cli('--version')).out).toBe(`${version}\n`);
  });
});

function pathOf(verb: Command): string {
  const { parent } = verb;
  return parent === null || parent.parent === null ? verb.name() : `${pathOf(parent)} ${verb.name()}`;
}

describe('docs/cli.md', () => {
  const page = readFileSync(new URL('../docs/cli.md', import.meta.url), 'utf8');

  it.each(program.commands.map((verb) => [verb.name()]))('has the verb %s', (name) => {
    expect(page).toMatch(new RegExp(`\`${name}\\b`));
  });

  it('has every option of every verb', () => {
    const flags = verbsOf(program)
      .filter((verb) => verb.name() !== 'keep')
      .flatMap((verb) => verb.options.map(({ long }) => ({ verb: pathOf(verb), long })));
    expect(flags.filter(({ long }) => !page.includes(long ?? ''))).toEqual([]);
  });
});

describe('without a cluster', () => {
  // A machine that is enrolled has one.
  it.skipIf(existsSync('/etc/understudy/context.json'))('says how to name or start one', async () => {
    const { exit, err } = await cli('status');
    expect(exit).toBe(2);
    expect(err).toMatch(/^understudy: no cluster is named.*\nhint: understudy stage up starts one here/);
  });

  it('names what is wrong in a context file', async () => {
    const file = join(directory, 'context.json');
    writeFileSync(file, '{"cluster":"psf","domain":"psf.io","agents":[],"tls":{"ca":"a","certificate":"b"}}');
    const { exit, err } = await cli('status', '--context', file);
    expect(exit).toBe(2);
    expect(err).toContain('at least one database agent is needed');
    expect(err).toContain('tls.key');
    expect((await cli('--context', join(directory, 'none.json'), 'status')).exit).toBe(2);
  });

  it('has no stage to end', async () => {
    expect(await cli('stage', 'down')).toMatchObject({ exit: 0, out: 'There is no stage in this directory.\n' });
    expect((await cli('stage', 'join', 'db9')).exit).toBe(4);
    expect((await cli('stage', 'load')).exit).toBe(4);
    expect((await cli('stage', 'keep', '--directory', directory)).exit).toBe(4);
  });
});

describe('completion', () => {
  it.each(['bash', 'zsh', 'fish'])('for %s knows verbs, verbs below them, and options', (shell) => {
    const script = completionScript(program, shell);
    for (const word of ['switchover', 'join', 'without-pooler']) expect(script).toContain(word);
    // `stage keep` is started by `stage up` alone.
    expect(script).not.toContain('directory');
  });
});
