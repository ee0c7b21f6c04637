/**
 * Where secrets are on a stage: in files that their owner alone may read, and nowhere else. Searched are every file of the stage
 * (the store's own files and PostgreSQL's among them, removed values too), every process's arguments and environment, and what
 * `git` tracks.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { run } from '../src/process/run.ts';
import { type TestStage, withStage } from './fixtures/stage.ts';

const checkout = resolve(import.meta.dirname, '..');

function filesUnder(directory: string): readonly string[] {
  return readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

const holdsSecrets = /\.(key|pem)$|password$|passphrase$|pgpass$|userlist\.txt$/;

/** By what it is: a piece that is long enough to be found nowhere by chance. */
function secretsIn(files: readonly string[]): ReadonlyMap<string, string> {
  const secrets = new Map<string, string>();
  for (const file of files.filter((each) => holdsSecrets.test(each))) {
    const text = readFileSync(file, 'utf8');
    const [, body] = /-----BEGIN [A-Z ]*PRIVATE KEY-----\n([^-]+)-----END/.exec(text) ?? [];
    // Its middle: the first lines are the same in every key of a curve.
    const lines = body?.trim().split('\n') ?? [];
    if (body !== undefined) secrets.set(`key ${file}`, lines[Math.floor(lines.length / 2)]?.slice(0, 40) ?? '');
    if (/pass(word|phrase)$/.test(file)) secrets.set(`password ${file}`, text.trim());
    for (const [, user, password = ''] of text.matchAll(/^"([^"]+@[^"]+)" "([^"]+)"$/gm))
      secrets.set(`login ${user}`, password);
    if (file.endsWith('pgpass')) secrets.set(`passfile ${file}`, text.split('\n')[0]?.split(':').at(-1) ?? '');
  }
  return secrets;
}

function argumentsOf(pid: number): string {
  return ['cmdline', 'environ'].map((part) => readFileSync(`/proc/${pid}/${part}`, 'latin1')).join('\0');
}

function allProcesses(stage: TestStage): readonly number[] {
  const kinds = ['agent', 'fence', 'postmaster', 'backend', 'pooler', 'store', 'other'] as const;
  return kinds.flatMap((kind) => stage.processes(kind).map(({ pid }) => pid));
}

test('secrets are in private files and nowhere else', async () => {
  await withStage({ nodes: 3, appNodes: 2 }, async (stage) => {
    await stage.untilWhole();
    const before = secretsIn(filesUnder(stage.record.root));
    expect(await stage.cli('credentials', 'rotate')).toMatchObject({ code: 0 });
    expect(await stage.cli('switchover')).toMatchObject({ code: 0 });
    await stage.untilWhole();
    const secrets = [...new Set([...before.values(), ...secretsIn(filesUnder(stage.record.root)).values()])];
    expect(Math.min(...secrets.map((secret) => secret.length))).toBeGreaterThanOrEqual(20);
    expect(secrets.length).toBeGreaterThan(20);

    const files = [...filesUnder(stage.record.root), ...filesUnder(stage.record.run)];
    const holding = files.filter((file) => {
      const content = readFileSync(file, 'latin1');
      return secrets.some((secret) => content.includes(secret));
    });
    const open = holding.filter((file) => (statSync(file).mode & 0o077) !== 0);
    expect(open.map((file) => relative(stage.record.root, file))).toEqual([]);
    // Neither in the store's files, nor in a log, nor in a database; but for the passwords of etcd's own users, which etcd 3.4
    // keeps in its log as they came (its files are private, and hold all that such a password opens).
    const ofStore = new Set([...before].filter(([what]) => what.startsWith('password ')).map(([, secret]) => secret));
    const strange = holding.filter((file) => {
      if (/\/(tls|ca|operator|viewer|apps)\/|\/userlist\.txt$/.test(file)) return false;
      const content = readFileSync(file, 'latin1');
      const known = /\/etcd\/member\//.test(file) ? secrets.filter((secret) => !ofStore.has(secret)) : secrets;
      return known.some((secret) => content.includes(secret));
    });
    expect(strange.map((file) => relative(stage.record.root, file))).toEqual([]);

    for (const pid of allProcesses(stage)) {
      const told = argumentsOf(pid);
      expect(secrets.filter((secret) => told.includes(secret))).toEqual([]);
    }
    const tracked = await run('git', ['ls-files', '-z'], { cwd: checkout, withinMs: 10_000 });
    for (const file of tracked.stdout.split('\0').filter((name) => name !== '')) {
      const content = readFileSync(join(checkout, file), 'latin1');
      expect(secrets.some((secret) => content.includes(secret)) ? file : null).toBe(null);
    }
  });
});
