/**
 * The floor's servers: a primary, a standby and a pooler, bare: no TLS, no passwords, no agents. Settings that bear on
 * the time of a switchover are those of the product.
 */

import { randomBytes } from 'node:crypto';
import { appendFileSync, chmodSync, chownSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { serverConfiguration } from '../src/core/rules/settings.ts';
import type { Spec } from '../src/core/spec.ts';
import { type Binaries, findBinaries } from '../src/postgres/binaries.ts';
import { startDaemon } from '../src/process/daemon.ts';
import { identify, isAlive, type ProcessIdentity, processesIn } from '../src/process/identity.ts';
import { run } from '../src/process/run.ts';
import { sendSignal } from '../src/process/signal.ts';
import type { Account } from '../src/stage/account.ts';
import { until } from './waiting.ts';

export interface FloorPlace {
  readonly directory: string;
  readonly network: string;
  readonly account: Account;
  /** The declaration whose parameters the bare servers take. */
  readonly spec: Spec;
  /** 16 is what `initdb` makes by itself. */
  readonly walSegmentMb: number;
}

export interface FloorServer {
  readonly name: string;
  readonly address: string;
  readonly home: string;
  readonly data: string;
}

/** What the bare servers do without: they have no certificates, and sockets of their own. */
const leftOut = /^(ssl|unix_socket|listen_addresses$|port$|cluster_name$)/;
const startWithinMs = 60_000;

export class FloorServers {
  readonly servers: readonly [FloorServer, FloorServer];
  readonly pooler: { readonly home: string; readonly address: string; readonly port: number };
  readonly #place: FloorPlace;
  readonly #binaries: Binaries;
  /** Of every login: at the servers and at the pooler. */
  readonly password = randomBytes(16).toString('hex');

  private constructor(place: FloorPlace, binaries: Binaries) {
    this.#place = place;
    this.#binaries = binaries;
    const server = (name: string, index: number): FloorServer => {
      const home = join(place.directory, name);
      return { name, home, address: `${place.network}.${index}`, data: join(home, 'data') };
    };
    this.servers = [server('one', 1), server('two', 2)];
    this.pooler = {
      home: join(place.directory, 'pooler'),
      address: `${place.network}.3`,
      port: place.spec.poolers.port,
    };
  }

  /** The first server is primary, the second streams from it, and the pooler leads to the first. */
  static async start(place: FloorPlace): Promise<FloorServers> {
    const servers = new FloorServers(place, await findBinaries(place.spec.postgres.major, null));
    try {
      await servers.#bringUp();
      return servers;
    } catch (error) {
      await servers.end();
      throw error;
    }
  }

  async #bringUp(): Promise<void> {
    const [first, second] = this.servers;
    for (const home of [this.#place.directory, this.pooler.home, first.home, second.home]) this.#makeHome(home);
    this.#write(this.#passwordFile, `${this.password}\n`);
    this.#write(this.#passfile, `*:*:*:*:${this.password}\n`);
    const made = ['--data-checksums', '--encoding=UTF8', '--locale=C', `--wal-segsize=${this.#place.walSegmentMb}`];
    const secured = ['-A', 'scram-sha-256', `--pwfile=${this.#passwordFile}`];
    await this.#program('initdb', ['-D', first.data, '-U', 'postgres', ...secured, ...made], first.home);
    this.#configure(first);
    await this.startServer(first);
    const source = ['-h', first.address, '-p', this.#port, '-U', 'postgres'];
    await this.#program('pg_basebackup', ['-D', second.data, ...source, '-X', 'stream', '-c', 'fast'], second.home);
    this.#configure(second);
    this.follow(second, first);
    await this.startServer(second);
    this.pointPooler(first);
    await this.#startPooler();
  }

  get #passwordFile(): string {
    return join(this.#place.directory, 'password');
  }

  get #passfile(): string {
    return join(this.#place.directory, 'passfile');
  }

  get #port(): string {
    return String(this.#place.spec.postgres.port);
  }

  async connect(server: FloorServer): Promise<Client> {
    const { password } = this;
    const port = Number(this.#port);
    const client = new Client({ host: server.home, port, user: 'postgres', password, database: 'postgres' });
    client.on('error', () => undefined); // its server is stopped again and again
    await client.connect();
    return client;
  }

  async console(): Promise<Client> {
    const client = new Client({
      host: this.pooler.home,
      port: this.pooler.port,
      user: 'floor',
      password: this.password,
      database: 'pgbouncer',
    });
    await client.connect();
    return client;
  }

  /** Returns when the server accepts connections. */
  async startServer(server: FloorServer): Promise<void> {
    await startDaemon(join(this.#binaries.directory, 'postgres'), ['-D', server.data], {
      cwd: server.data,
      logFile: join(server.home, 'log'),
      env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' },
      ...this.#user(),
    });
    await until(`${server.name} accepts connections`, startWithinMs, 5, async () => {
      try {
        const client = await this.connect(server);
        await client.end();
        return true;
      } catch {
        return false;
      }
    });
  }

  postmaster(server: FloorServer): ProcessIdentity {
    const pid = Number(readFileSync(join(server.data, 'postmaster.pid'), 'utf8').split('\n')[0]);
    const found = identify(pid);
    if (found === null) throw new Error(`no postmaster of ${server.name}`);
    return found;
  }

  /** It starts as a standby of `upstream` the next time. */
  follow(server: FloorServer, upstream: FloorServer): void {
    this.#write(join(server.data, 'standby.signal'), '');
    const conninfo = `host=${upstream.address} port=${this.#port} user=postgres passfile=${this.#passfile} application_name=${server.name}`;
    this.#write(join(server.data, 'floor-upstream.conf'), `primary_conninfo = '${conninfo}'\n`);
  }

  /** Writes the pooler's file; it takes effect with RELOAD. */
  pointPooler(server: FloorServer): void {
    const { poolers } = this.#place.spec;
    const { home, address, port } = this.pooler;
    const lines = [
      '[databases]',
      `shop = host=${server.address} port=${this.#port} dbname=postgres user=postgres pool_size=${poolers.poolSize}`,
      '[pgbouncer]',
      `listen_addr = ${address}`,
      `listen_port = ${port}`,
      `unix_socket_dir = ${home}`,
      'auth_type = scram-sha-256',
      `auth_file = ${join(home, 'users')}`,
      'admin_users = floor',
      'pool_mode = transaction',
      `max_client_conn = ${poolers.maxClients}`,
      `query_wait_timeout = ${poolers.queryWaitTimeoutS}`,
      'server_login_retry = 0.25',
      'server_fast_close = 1',
      'log_connections = 0',
      'log_disconnections = 0',
    ];
    const users = ['shop', 'floor', 'postgres'].map((user) => `"${user}" "${this.password}"\n`);
    this.#write(join(home, 'users'), users.join(''));
    this.#write(join(home, 'pgbouncer.ini'), `${lines.join('\n')}\n`);
  }

  /** Ends every process of the floor. */
  async end(): Promise<void> {
    const homes = [this.pooler.home, ...this.servers.map((server) => server.data)];
    for (const signal of ['SIGINT', 'SIGKILL'] as const) {
      const left = homes.flatMap((home) => processesIn(home));
      for (const found of left) sendSignal(found, signal);
      await until('the floor has ended', 10_000, 20, () => !left.some(isAlive)).catch(() => undefined);
    }
    rmSync(this.#place.directory, { recursive: true, force: true });
  }

  async #startPooler(): Promise<void> {
    const program = ['/usr/sbin/pgbouncer', '/usr/bin/pgbouncer', '/usr/local/bin/pgbouncer'].find((path) => {
      try {
        return readFileSync(path).length > 0;
      } catch {
        return false;
      }
    });
    if (program === undefined) throw new Error('no pgbouncer is installed');
    const { home } = this.pooler;
    await startDaemon(program, [join(home, 'pgbouncer.ini')], {
      cwd: home,
      logFile: join(home, 'log'),
      ...this.#user(),
    });
    await until('the pooler answers', 10_000, 10, async () => {
      try {
        const client = await this.console();
        await client.end();
        return true;
      } catch {
        return false;
      }
    });
  }

  #configure(server: FloorServer): void {
    const facts = {
      socketDirectory: server.home,
      tls: { ca: '', certificate: '', key: '' },
      osUser: 'postgres',
      archiveCommand: null,
      archiveHold: '/run/archive-hold',
      memoryBytes: totalmem(),
      floor: {},
      syncNames: '',
    };
    const { spec } = this.#place;
    const [node] = spec.nodes;
    if (node === undefined) throw new Error('a declaration without nodes');
    const { parameters } = serverConfiguration(spec, node.name, facts);
    const own = {
      listen_addresses: server.address,
      port: this.#port,
      unix_socket_directories: server.home,
      cluster_name: server.name,
    };
    const kept = Object.entries(parameters).filter(([name]) => !leftOut.test(name));
    const lines = [...kept, ...Object.entries(own)].map(([name, value]) => `${name} = '${value}'`);
    this.#write(join(server.data, 'floor.conf'), `${lines.join('\n')}\ninclude_if_exists 'floor-upstream.conf'\n`);
    this.#write(
      join(server.data, 'pg_hba.conf'),
      'local all all scram-sha-256\nhost all,replication all 127.0.0.0/8 scram-sha-256\n',
    );
    if (!readFileSync(join(server.data, 'postgresql.conf'), 'utf8').includes("include 'floor.conf'")) {
      appendFileSync(join(server.data, 'postgresql.conf'), "include 'floor.conf'\n");
    }
  }

  async #program(name: string, args: readonly string[], cwd: string): Promise<void> {
    await run(join(this.#binaries.directory, name), args, {
      cwd,
      withinMs: 60_000,
      env: { PATH: '/usr/bin:/bin', LC_ALL: 'C', PGPASSFILE: this.#passfile },
      ...this.#user(),
    });
  }

  #user(): { readonly user?: Account } {
    return process.getuid?.() === 0 ? { user: this.#place.account } : {};
  }

  #makeHome(home: string): void {
    mkdirSync(home, { recursive: true, mode: 0o755 });
    chmodSync(home, 0o755);
    this.#own(home);
  }

  #write(path: string, text: string): void {
    writeFileSync(path, text, { mode: 0o600 });
    this.#own(path);
  }

  #own(path: string): void {
    if (process.getuid?.() === 0) chownSync(path, this.#place.account.uid, this.#place.account.gid);
  }
}
