import { expect, it } from 'vitest';
import { run } from '../process/run.ts';
import { startCommand } from './start-command.ts';

/** As the shell, and then that of pg_ctl, take it apart. */
async function wordsOf(command: string): Promise<readonly string[]> {
  const { stdout } = await run('/bin/sh', ['-c', `printf '%s\\n' ${command}`], { withinMs: 10_000 });
  return stdout.trimEnd().split('\n');
}

it('starts it with nothing of the cluster that reaches beyond the directory, in whatever directory', async () => {
  for (const into of ['/srv/restored/shop', "/srv/it's a place/shop"]) {
    const [program, , data, , options = '', , log, verb] = await wordsOf(
      startCommand('/usr/lib/postgresql/15/bin', into),
    );
    expect([program, data, log, verb]).toEqual(['/usr/lib/postgresql/15/bin/pg_ctl', into, `${into}.log`, 'start']);
    const settings = (await wordsOf(options)).filter((each) => each !== '-c');
    expect(settings).toEqual(
      expect.arrayContaining([
        ...['archive_mode=off', 'max_logical_replication_workers=0', 'shared_preload_libraries=', 'listen_addresses='],
        `unix_socket_directories=${into}`,
      ]),
    );
  }
});
