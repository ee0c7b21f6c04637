/**
 * What somebody with a shell does with pgBackRest and the same server: makes a backup, restores it and replays, and has a second
 * server archive. The options are the product's own (its configuration file is read), so that only what is around them differs.
 */
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { chown, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type RunResult, run } from '../src/process/run.ts';
import { freePort } from '../test/fixtures/free-port.ts';
import type { StageUnderTest } from './stage-under-test.ts';
import { until } from './waiting.ts';

const hourMs = 3_600_000;

export class ByHand {
  readonly #stage: StageUnderTest;
  readonly #binaries: string;
  readonly #configuration: string;
  readonly #stanza: string;

  constructor(stage: StageUnderTest, binaries: string) {
    this.#stage = stage;
    this.#binaries = binaries;
    this.#configuration = join(stage.record.root, 'db1', 'state', 'pgbackrest', 'pgbackrest.conf');
    const [, stanza] = /^\[([^\]:]+-\d+)\]$/m.exec(readFileSync(this.#configuration, 'utf8')) ?? [];
    if (stanza === undefined) throw new Error(`no stanza in ${this.#configuration}`);
    this.#stanza = stanza;
  }

  async run(program: string, args: readonly string[]): Promise<RunResult> {
    const user = process.getuid?.() === 0 ? { user: this.#stage.record.user } : {};
    return await run(program, args, { ...user, cwd: '/', withinMs: hourMs });
  }

  async #pgbackrest(...args: readonly string[]): Promise<void> {
    await this.run('pgbackrest', [`--config=${this.#configuration}`, `--stanza=${this.#stanza}`, ...args]);
  }

  async directory(name: string): Promise<string> {
    const path = join(this.#stage.record.root, name);
    await mkdir(path, { recursive: true, mode: 0o700 });
    await chown(path, this.#stage.record.user.uid, this.#stage.record.user.gid);
    return path;
  }

  /** With what pgBackRest does after a backup unless it is told otherwise, and the product in a step of its own: it expires. */
  async backup(): Promise<void> {
    await this.#pgbackrest('--type=full', '--expire-auto', 'backup');
  }

  /** To the end of the archive, promoted, stopped. */
  async restore(name: string): Promise<string> {
    const data = await this.directory(name);
    await this.#pgbackrest(`--pg1-path=${data}`, '--archive-mode=off', '--type=default', 'restore');
    const server = await this.#start(data, await freePort(['127.0.0.1']), ['-c', 'archive_mode=off']);
    await until('it is promoted', hourMs, 50, async () => (await server.ask('SELECT pg_is_in_recovery()')) === 'f');
    await server.stop();
    return data;
  }

  async #start(data: string, port: number, options: readonly string[]): Promise<HandServer> {
    const sockets = await this.directory('hand-sockets');
    const local = ['-c', `port=${port}`, '-c', `unix_socket_directories=${sockets}`, '-c', 'listen_addresses='];
    const given = [...local, '-c', 'ssl=off', '-c', 'synchronous_standby_names=', ...options].join(' ');
    const pgCtl = join(this.#binaries, 'pg_ctl');
    // Until it answers, which is before it is promoted.
    await this.run(pgCtl, ['-D', data, '-s', '-w', '-t', '3600', '-l', join(data, 'hand.log'), '-o', given, 'start']);
    return {
      ask: (sql) => this.#ask(sockets, port, sql),
      stop: async () => void (await this.run(pgCtl, ['-D', data, '-s', '-w', '-m', 'fast', 'stop'])),
    };
  }

  /** A copy that is a primary of its own, whose archive is another place with the same options. */
  async startArchiving(data: string): Promise<HandServer> {
    const [repository, work] = [await this.directory('hand-repository'), await this.directory('hand-work')];
    const configuration = join(work, 'pgbackrest.conf');
    const written = readFileSync(this.#configuration, 'utf8');
    const port = await freePort(['127.0.0.1']);
    const changed = Object.entries({
      ...{ 'pg1-port': port, 'pg1-socket-path': await this.directory('hand-sockets') },
      'repo1-path': repository,
      'spool-path': join(work, 'spool'),
      'lock-path': join(work, 'lock'),
      'log-path': join(work, 'log'),
      'pg1-path': data,
    }).reduce((text, [key, value]) => text.replace(new RegExp(`^${key}=.*$`, 'm'), `${key}=${value}`), written);
    for (const name of ['spool', 'lock', 'log']) await this.directory(join('hand-work', name));
    writeFileSync(configuration, changed, { mode: 0o600 });
    await chown(configuration, this.#stage.record.user.uid, this.#stage.record.user.gid);
    const push = `pgbackrest --config=${configuration} --stanza=${this.#stanza} archive-push "%p"`;
    const file = join(data, 'postgresql.auto.conf');
    appendFileSync(file, `\narchive_mode = on\narchive_command = '${push.replaceAll("'", "''")}'\n`);
    const server = await this.#start(data, port, []);
    await this.run('pgbackrest', [`--config=${configuration}`, `--stanza=${this.#stanza}`, 'stanza-create']);
    return server;
  }

  /** What a directory answers that was restored and stopped. */
  async askRestored(data: string, sql: string): Promise<string> {
    const server = await this.#start(data, await freePort(['127.0.0.1']), ['-c', 'archive_mode=off']);
    try {
      return await server.ask(sql);
    } finally {
      await server.stop();
    }
  }

  /** One value of the stage's own server. */
  async ask(sql: string): Promise<string> {
    return await this.#ask(join(this.#stage.record.run, 'db1'), 5432, sql);
  }

  async #ask(sockets: string, port: number, sql: string): Promise<string> {
    const args = ['-X', '-h', sockets, '-p', String(port), '-U', 'postgres', '-d', 'shop', '-At', '-c', sql];
    return (await this.run('psql', args)).stdout.trim();
  }
}

export interface HandServer {
  /** One value as the superuser. */
  ask(sql: string): Promise<string>;
  stop(): Promise<void>;
}
