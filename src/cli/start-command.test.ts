import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { startCommand } from './start-command.ts';

/** As the shell, and then that of pg_ctl, take it apart. */
function wordsOf(command: string): readonly string[] {
  const print = (text: string) => execFileSync('/bin/sh', ['-c', `printf '%s\\n' ${text}`], { encoding: 'utf8' });
  return print(command).trimEnd().split('\n');
}

it('starts it with nothing of the cluster that reaches beyond the directory, in whatever directory', () => {
  for (const into of ['/srv/restored/shop', "/srv/it's a place/shop"]) {
    const [program, , data, , options = '', , log, verb] = wordsOf(startCommand('/usr/lib/postgresql/15/bin', into));
    expect([program, data, log, verb]).toEqual(['/usr/lib/postgresql/15/bin/pg_ctl', into, `${into}.log`, 'start']);
    const settings = wordsOf(options).filter((each) => each !== '-c');
    expect(settings).toEqual(
      expect.arrayContaining([
        ...['archive_mode=off', 'max_logical_replication_workers=0', 'shared_preload_libraries=', 'listen_addresses='],
        `unix_socket_directories=${into}`,
      ]),
    );
  }
});
