/**
 * What pgbouncer's console shows, parsed. Columns were compared for 1.18 and 1.24; all that is read here is in both.
 * Refuses rows without the columns named here: a figure that isn't there must not become 0.
 */
import { z } from 'zod';
import type { PoolerBlocker } from '../core/pooler-report.ts';
import type { ActOptions } from '../ports/postgres.ts';
import type { Console } from './console.ts';

const whole = z.string().regex(/^\d+$/).transform(Number);

const databaseRow = z.object({ name: z.string(), host: z.string().nullable(), port: whole, paused: whole });

const poolRow = z.object({
  database: z.string(),
  cl_active: whole,
  cl_waiting: whole,
  sv_active: whole,
  sv_idle: whole,
  sv_used: whole,
  sv_tested: whole,
  sv_login: whole,
  maxwait: whole,
  maxwait_us: whole,
});

const socketRow = z.object({
  database: z.string(),
  state: z.string(),
  addr: z.string(),
  port: whole,
  connect_time: z.string().nullable(),
  request_time: z.string().nullable(),
  ptr: z.string(),
  link: z.string().nullable(),
  remote_pid: whole,
  application_name: z.string().nullish(),
  close_needed: whole,
});

export interface DatabaseState {
  readonly name: string;
  readonly host: string | null;
  readonly port: number;
  readonly paused: boolean;
}

export interface PoolState {
  readonly alias: string;
  readonly clients: number;
  readonly waiting: number;
  /** Server connections of every state, those being opened among them. */
  readonly servers: number;
  readonly loggingIn: number;
  /** How long the client that waits longest has waited, in ms. */
  readonly longestWaitMs: number;
}

type SocketRow = z.infer<typeof socketRow>;

export async function showDatabases(console: Console, options: ActOptions): Promise<readonly DatabaseState[]> {
  const rows = z.array(databaseRow).parse(await console.query('SHOW DATABASES', options));
  return rows.map(({ name, host, port, paused }) => ({ name, host, port, paused: paused === 1 }));
}

/** One per alias that was ever used; the console's own is left out. */
export async function showPools(console: Console, options: ActOptions): Promise<readonly PoolState[]> {
  const rows = z.array(poolRow).parse(await console.query('SHOW POOLS', options));
  return rows
    .filter((row) => row.database !== 'pgbouncer')
    .map((row) => ({
      alias: row.database,
      clients: row.cl_active + row.cl_waiting,
      waiting: row.cl_waiting,
      servers: row.sv_active + row.sv_idle + row.sv_used + row.sv_tested + row.sv_login,
      loggingIn: row.sv_login,
      longestWaitMs: row.maxwait * 1_000 + row.maxwait_us / 1_000,
    }));
}

/** Identities of waiting clients or of all clients, by alias. A pointer is reused, hence the time of connecting. */
export interface ClientSample {
  readonly all: ReadonlySet<string>;
  readonly waiting: ReadonlyMap<string, readonly string[]>;
}

export async function sampleClients(console: Console, options: ActOptions): Promise<ClientSample> {
  const rows = z.array(socketRow).parse(await console.query('SHOW CLIENTS', options));
  const identity = (row: SocketRow): string => `${row.ptr} ${row.connect_time} ${row.addr} ${row.port}`;
  const waiting = new Map<string, string[]>();
  for (const row of rows) {
    if (!row.state.startsWith('waiting')) continue;
    const list = waiting.get(row.database) ?? [];
    list.push(identity(row));
    waiting.set(row.database, list);
  }
  return { all: new Set(rows.map(identity)), waiting };
}

/** By user, those that are connected. */
export async function countClients(console: Console, options: ActOptions): Promise<ReadonlyMap<string, number>> {
  const rows = z.array(z.object({ user: z.string() })).parse(await console.query('SHOW CLIENTS', options));
  const counts = new Map<string, number>();
  for (const { user } of rows) counts.set(user, (counts.get(user) ?? 0) + 1);
  return counts;
}

/** pgbouncer writes `2026-11-20 20:21:01 UTC`. */
function ageOf(time: string | null, nowMs: number): number {
  const match = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) UTC$/.exec(time ?? '');
  const parsed = match === null ? Number.NaN : Date.parse(`${match[1]}T${match[2]}Z`);
  return Number.isNaN(parsed) ? 0 : Math.max(0, nowMs - parsed);
}

/**
 * Server connections of these aliases that hold a transaction. The age counts from the last request, in steps of a
 * second: pgbouncer doesn't show when a transaction began, so it is the least that it can be.
 */
export async function showBlockers(
  console: Console,
  aliases: readonly string[],
  nowMs: number,
  options: ActOptions,
): Promise<readonly PoolerBlocker[]> {
  const wanted = new Set(aliases);
  const servers = z.array(socketRow).parse(await console.query('SHOW SERVERS', options));
  const busy = servers.filter((row) => wanted.has(row.database) && (row.state === 'active' || row.state === 'tested'));
  if (busy.length === 0) return [];
  const clients = z.array(socketRow).parse(await console.query('SHOW CLIENTS', options));
  const byPointer = new Map(clients.map((row) => [row.ptr, row]));
  return busy.map((row) => ({
    alias: row.database,
    serverPid: row.remote_pid,
    client: describeClient(byPointer.get(row.link ?? '')),
    ageMs: ageOf(row.request_time, nowMs),
  }));
}

/** A server connection that carries a transaction. */
export interface ServerConnection {
  readonly alias: string;
  readonly address: string;
  readonly port: number;
  /** It is closed as soon as it is free: its alias leads elsewhere by now. */
  readonly isLeaving: boolean;
  /** Since its client's last request, in whole seconds, up to one too many. */
  readonly requestAgeS: number;
}

export async function showServerConnections(
  console: Console,
  nowMs: number,
  options: ActOptions,
): Promise<readonly ServerConnection[]> {
  const servers = z.array(socketRow).parse(await console.query('SHOW SERVERS', options));
  const busy = servers.filter((row) => row.state === 'active');
  if (busy.length === 0) return [];
  const clients = z.array(socketRow).parse(await console.query('SHOW CLIENTS', options));
  const requests = new Map(clients.map((row) => [row.ptr, row.request_time]));
  return busy.map((row) => ({
    alias: row.database,
    address: row.addr,
    port: row.port,
    isLeaving: row.close_needed === 1,
    requestAgeS: Math.floor(ageOf(requests.get(row.link ?? '') ?? null, nowMs) / 1_000),
  }));
}

/** Aliases with server connections that are closed as soon as they are free. */
export async function showStraggling(console: Console, options: ActOptions): Promise<readonly string[]> {
  const servers = z.array(socketRow).parse(await console.query('SHOW SERVERS', options));
  return [...new Set(servers.filter((row) => row.close_needed === 1).map((row) => row.database))];
}

function describeClient(row: SocketRow | undefined): string {
  if (row === undefined) return 'unknown';
  const name = row.application_name ?? '';
  const place = row.addr === 'unix' ? `local process ${row.remote_pid}` : `${row.addr}:${row.port}`;
  return name === '' ? place : `${place} (${name})`;
}
