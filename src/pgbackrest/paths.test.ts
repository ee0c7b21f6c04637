import { expect, it } from 'vitest';
import { run } from '../process/run.ts';
import { archiveCommands, repositoryPaths, restoreCommandOf, stanzaName } from './paths.ts';

const paths = repositoryPaths("/srv/it's 100%/state");

/** What a program is given when PostgreSQL has a shell run the command; `echo` stands for the program. */
async function given(command: string): Promise<readonly string[]> {
  const replaced = command.replace(/%([%pf])/g, (_, letter) => (letter === '%' ? '%' : `pg_wal/${letter}`));
  const { stdout } = await run('/bin/sh', ['-c', replaced], { withinMs: 5_000 });
  return stdout.trimEnd().split('\n');
}

it('names a program with blanks, quotes and percent signs so that the shell gives them through', async () => {
  const { archive, restore } = archiveCommands('/usr/bin/printf', paths, "%s\\n'");
  const configuration = "--config=/srv/it's 100%/state/pgbackrest/pgbackrest.conf";
  // printf takes its first argument for the format: which the configuration's option is.
  expect(await given(archive.replace("'/usr/bin/printf'", "printf '%%s\\n'"))).toEqual([
    configuration,
    "--stanza=%s\\n'",
    'archive-push',
    'pg_wal/p',
  ]);
  expect((await given(restore.replace("'/usr/bin/printf'", "printf '%%s\\n'"))).slice(2)).toEqual([
    'archive-get',
    'pg_wal/f',
    'pg_wal/p',
  ]);
});

it('lets a restored directory fetch for itself, beside others', async () => {
  const command = restoreCommandOf('printf', paths, 'shop-15', '/srv/past/1');
  const [, , directory, locks] = await given(command.replace("'printf'", "printf '%%s\\n'"));
  expect(directory).toBe('--pg1-path=/srv/past/1');
  expect(locks).not.toBe(`--lock-path=${paths.locks}`);
  expect(restoreCommandOf('printf', paths, 'shop-15', '/srv/past/2')).not.toContain(locks);
});

it.each([
  ['0', 0],
  ['1', 1],
  ['39', 126],
  ['126', 126],
  ['137', 126],
])(
  'ends with %s of the program as PostgreSQL takes it for the end of the archive, or for trouble',
  async (said, code) => {
    const command = restoreCommandOf('printf', paths, 'shop-15', '/srv/past/1').replace(
      "'printf'",
      `(exit ${said}); true`,
    );
    const asked = command.replace(/^(\(exit \d+\)); true .*? \|\| /, '$1 || ');
    const result = await run('/bin/sh', ['-c', asked], { withinMs: 5_000, anyExit: true });
    expect(result.code).toBe(code);
  },
);

it('calls a stanza after the cluster and its major version', () => {
  expect(stanzaName('shop', 15)).toBe('shop-15');
});
