/** What is tried on a stage, and must be refused: who, what, and how it is known that he was. */
import { request as httpsRequest } from 'node:https';
import { connect as connectPlainly } from 'node:net';
import { join } from 'node:path';
import type { SecureVersion } from 'node:tls';
import { onBehalfOfHeader } from '../src/api/contract/routes.ts';
import { run } from '../src/process/run.ts';
import { stagePorts } from '../src/stage/network.ts';
import type { StageRecord } from '../src/stage/record.ts';
import type { Knocker, Knockers } from './refusal-credentials.ts';

export interface Outcome {
  readonly refused: boolean;
  /** In one line. */
  readonly cameBack: string;
}

export interface Attempt {
  readonly at: string;
  readonly what: string;
  /** What has to come back: another refusal would be one for another reason. */
  readonly expected?: RegExp;
  /** It must be let in: what differs from it in one thing is refused for that. */
  readonly isControl?: true;
  readonly make: () => Promise<Outcome>;
}

const withinMs = 15_000;

export interface Target {
  readonly record: StageRecord;
  readonly knockers: Knockers;
  readonly primary: string;
  /** With the application's password in it, and with another. */
  readonly passfile: string;
  readonly wrongPassfile: string;
  /** By which a pooler logs in for an application. */
  readonly applicationLogin: { readonly user: string; readonly passfile: string; readonly resting: string };
  /** A spec as it is applied, to be changed. */
  readonly spec: object;
  readonly revision: number;
}

interface Call {
  readonly as: Knocker | null;
  readonly method?: 'GET' | 'POST';
  readonly path: string;
  readonly body?: unknown;
  readonly raw?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly maxVersion?: SecureVersion;
  /** The agents' own, unless it is said. */
  readonly port?: number;
}

const oneLine = (text: string): string => text.replace(/\s+/g, ' ').trim().slice(0, 160);
export const addressOf = (record: StageRecord, name: string): string =>
  record.nodes.find((node) => node.name === name)?.address ?? '127.0.0.1';

export function callAgent(record: StageRecord, node: string, call: Call): Promise<Outcome> {
  const { as, body, headers = {}, maxVersion, method = 'GET', path, port = stagePorts.api, raw } = call;
  const text = raw ?? (body === undefined ? undefined : JSON.stringify(body));
  return new Promise((resolve) => {
    const sent = httpsRequest({
      host: addressOf(record, node),
      port,
      agent: false,
      rejectUnauthorized: false,
      ...(as === null ? {} : { cert: as.credentials.certificatePem, key: as.credentials.keyPem }),
      ...(maxVersion === undefined ? {} : { maxVersion, minVersion: maxVersion }),
      method,
      path,
      headers: { ...(text === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      timeout: withinMs,
    });
    sent.on('timeout', () => sent.destroy(new Error('no answer')));
    sent.on('error', (error: NodeJS.ErrnoException) =>
      // Where nobody listens nobody refuses anything.
      resolve({ refused: error.code !== 'ECONNREFUSED', cameBack: `no answer: ${error.code ?? error.message}` }),
    );
    sent.on('response', (response) => {
      let answer = '';
      response.on('data', (chunk: Buffer) => {
        answer += chunk.toString();
      });
      response.on('end', () => {
        const status = response.statusCode ?? 0;
        resolve({ refused: status >= 400 && status < 500, cameBack: oneLine(`${status} ${messageIn(answer)}`) });
      });
    });
    sent.end(text);
  });
}

function messageIn(answer: string): string {
  try {
    const value: unknown = JSON.parse(answer);
    if (typeof value === 'object' && value !== null && 'code' in value && 'message' in value)
      return `${String(value.code)}: ${String(value.message)}`;
  } catch {
    // no JSON: shown as it came
  }
  return answer;
}

const order = { to: null, forceAfterMs: null, without: [], dryRun: false, paceMs: 0 };
const report = {
  ...{ node: 'app1', counter: 1, state: 'open', operation: null, term: 1, primary: null, clients: 0, waiting: 0 },
  ...{ specRevision: 1, readOnly: false, blockers: [], poolerVersion: null, lastPause: null, trouble: null },
};

export function agentAttempts({ knockers, record, revision, spec }: Target): readonly Attempt[] {
  const {
    app1,
    db2,
    db9,
    expiredOperator,
    foreignOperator,
    operator,
    operatorElsewhere,
    revokedOperator,
    storeClient,
    storeServer,
    viewer,
  } = knockers;
  const at = 'agent API';
  const on = (what: string, call: Call, node = 'db1'): Attempt => ({
    at,
    what,
    make: () => callAgent(record, node, call),
  });
  const post = (path: string, body: unknown) => ({ method: 'POST', path, body }) as const;
  const health = { path: '/v1/health' } as const;
  const apply = (change: object) => post('/v1/spec', { baseRevision: revision, spec: { ...spec, ...change } });
  return [
    on('no certificate', { as: null, ...health }),
    on('an expired certificate', { as: expiredOperator, ...health }),
    on('a certificate of another authority', { as: foreignOperator, ...health }),
    on('a revoked certificate', { as: revokedOperator, ...health }),
    on('a revoked certificate, at another node', { as: revokedOperator, ...health }, 'db2'),
    on('a revoked certificate, for an order', { as: revokedOperator, ...post('/v1/switchover', order) }),
    on('a revoked certificate, at an app node', { as: revokedOperator, ...health }, 'app1'),
    on('an operator of another cluster', { as: operatorElsewhere, ...health }),
    on('a node that is not declared', { as: db9, ...health }),
    on("a store client's certificate", { as: storeClient, ...health }),
    on("a store server's certificate", { as: storeServer, ...health }),
    on('TLS 1.1', { as: operator, ...health, maxVersion: 'TLSv1.1' }),
    { at, what: 'plain HTTP', make: () => plainHttp(addressOf(record, 'db1')) },
    on("no certificate, at an app node's agent", { as: null, ...health }, 'app1'),
    on("a certificate of another authority, at an app node's agent", { as: foreignOperator, ...health }, 'app1'),
    on('a viewer orders a switchover', { as: viewer, ...post('/v1/switchover', order) }),
    on('a viewer applies a spec', { as: viewer, ...apply({}) }),
    on('a viewer takes hands off', { as: viewer, ...post('/v1/hands-off', { forMs: 1_000 }) }),
    on('an app node reads the spec', { as: app1, path: '/v1/spec' }),
    on('an app node reads the status', { as: app1, path: '/v1/status' }),
    on('an app node reads events', { as: app1, path: '/v1/events' }),
    on('an app node reads the audit log', { as: app1, path: '/v1/audit' }),
    on('an app node orders a switchover', { as: app1, ...post('/v1/switchover', order) }),
    on('an app node asks for a promise about the lease', {
      as: app1,
      ...post('/v1/promise', { term: 1, round: 1, forMs: 6_000 }),
    }),
    on("an app node asks for a primary's WAL", {
      as: app1,
      ...post('/v1/last-words', { file: '000000010000000000000001', offset: 0 }),
    }),
    on('an app node applies a spec', { as: app1, ...apply({}) }),
    on('an app node has a standby cloned', { as: app1, ...post('/v1/reinit', {}) }, 'db2'),
    on('an app node reports for another node', {
      as: app1,
      ...post('/v1/poolers/app2/report', { ...report, node: 'app2' }),
    }),
    on('an app node reports another name in its own place', {
      as: app1,
      ...post('/v1/poolers/app1/report', { ...report, node: 'app2' }),
    }),
    on('an app node reports through a path with dots', {
      as: app1,
      ...post('/v1/poolers/app1%2f..%2fapp2/report', report),
    }),
    on('an app node says that it acts for an operator', {
      as: app1,
      ...post('/v1/switchover', order),
      headers: { [onBehalfOfHeader]: 'operator/ernest' },
    }),
    on('an operator says that he acts for another', {
      as: operator,
      ...post('/v1/switchover', order),
      headers: { [onBehalfOfHeader]: 'operator/kim' },
    }),
    on('a database node says that it acts for a viewer', {
      as: db2,
      ...post('/v1/switchover', order),
      headers: { [onBehalfOfHeader]: 'viewer/vera' },
    }),
    on('a database node names nobody', {
      as: db2,
      ...post('/v1/switchover', order),
      headers: { [onBehalfOfHeader]: 'operator/%00' },
    }),
    on("a database node reports for an app node's pooler", { as: db2, ...post('/v1/poolers/app1/report', report) }),
    on('a database node applies a spec', { as: db2, ...apply({}) }),
    on('a database node accepts a loss', {
      as: db2,
      ...post('/v1/failover', { to: null, accept: { term: 1, counter: 1, covers: 'all', atLeastBytes: 0 } }),
    }),
    on('a database node restarts another', { as: db2, ...post('/v1/restart', {}) }),
    on('SQL in a database name', {
      as: operator,
      ...apply({ databases: [{ name: 'shop"; drop role postgres; --', owner: 'shop_owner' }] }),
    }),
    on("SQL in an owner's name", {
      as: operator,
      ...apply({ databases: [{ name: 'shop', owner: "x'; alter role shop superuser; --" }] }),
    }),
    on("a path in an application's name", {
      as: operator,
      ...apply({
        applications: [
          {
            name: '../../etc/cron.d/x',
            database: 'shop',
            rights: 'rw',
            nodes: ['app1'],
            poolSize: null,
            outage: 'hold',
          },
        ],
      }),
    }),
    on('a line end in the domain', { as: operator, ...apply({ domain: 'x\nhost all all all trust' }) }),
    on('a spec of another cluster', { as: operator, ...apply({ cluster: 'elsewhere' }) }),
    on('a path in the name of a file of the audit log', {
      as: operator,
      path: '/v1/audit/files/..%2f..%2fnode.yaml?offset=-1',
    }),
    on('a path in the number of a receipt', { as: operator, path: '/v1/receipts/..%2f..%2fspec' }),
    on('a zero byte in a path', { as: operator, path: '/v1/receipts/%00' }),
    on('a broken percent sign', { as: operator, path: '/v1/receipts/%zz' }),
    on('a body of 2 MiB', { as: operator, method: 'POST', path: '/v1/switchover', raw: ' '.repeat(2 * 1024 * 1024) }),
    on('a head of 20 kB', { as: operator, ...health, headers: { 'x-long': 'x'.repeat(20_000) } }),
    on('100,000 brackets', { as: operator, method: 'POST', path: '/v1/switchover', raw: '['.repeat(100_000) }),
    on('half a JSON', { as: operator, method: 'POST', path: '/v1/switchover', raw: '{"to":' }),
    on('an order with something unknown in it', { as: operator, ...post('/v1/switchover', { ...order, force: true }) }),
    on('an order with a negative time', { as: operator, ...post('/v1/switchover', { ...order, forceAfterMs: -1 }) }),
  ];
}

function plainHttp(host: string): Promise<Outcome> {
  return new Promise((resolve) => {
    let heard = '';
    const socket = connectPlainly({ host, port: stagePorts.api }, () =>
      socket.write('GET /v1/health HTTP/1.1\r\nhost: x\r\n\r\n'),
    );
    socket.setTimeout(withinMs, () => socket.destroy());
    socket.on('data', (chunk) => {
      heard += chunk.toString('latin1');
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      const cameBack = heard === '' ? 'the connection was closed' : 'a TLS alert, and the connection was closed';
      resolve({ refused: !heard.includes('HTTP/'), cameBack });
    });
  });
}

interface Login {
  readonly port: number;
  readonly host: string;
  readonly user: string;
  readonly database: string;
  readonly sslmode?: string;
  readonly as?: Knocker | null;
  /** What libpq reads the password from. */
  readonly passfile?: string;
  readonly replication?: string;
}

/** libpq's options in its environment, which is this process's own child's alone. */
async function psql({
  as = null,
  database,
  host,
  passfile,
  port,
  replication,
  sslmode = 'require',
  user,
}: Login): Promise<Outcome> {
  const env = {
    PATH: process.env.PATH ?? '/usr/bin:/bin',
    LC_ALL: 'C.UTF-8',
    PGCONNECT_TIMEOUT: '10',
    PGSSLMODE: sslmode,
    PGGSSENCMODE: 'disable',
    PGPASSFILE: passfile ?? '/dev/null',
    ...(as === null
      ? { PGSSLCERT: '/dev/null/none', PGSSLKEY: '/dev/null/none' }
      : { PGSSLCERT: as.files.certificate, PGSSLKEY: as.files.key, PGSSLROOTCERT: as.files.ca }),
  };
  const quoted = (value: string): string => `'${value.replace(/[\\']/g, '\\$&')}'`;
  const uri = [
    `host=${host} port=${port} user=${quoted(user)} dbname=${quoted(database)}`,
    ...(replication === undefined ? [] : [`replication=${replication}`]),
  ].join(' ');
  const sql = replication === undefined ? 'select 1' : 'IDENTIFY_SYSTEM';
  const { code, stderr, stdout } = await run('psql', ['-X', '-w', '-At', '-d', uri, '-c', sql], {
    env,
    withinMs,
    anyExit: true,
  });
  const said = stderr.split('\n').findLast((line) => /^(?!password retrieved)./.test(line)) ?? stdout;
  return { refused: code !== 0, cameBack: oneLine(said.replace(/^.*? failed: /, '')) };
}

/** Each differs in one thing from the control, which is let in; so it is that one thing that it is refused for. */
export function databaseAttempts(target: Target): readonly Attempt[] {
  const { applicationLogin, knockers, primary, record, wrongPassfile } = target;
  const { app1, db2, db9, expiredApp1, expiredDb2, foreignApp1, foreignDb2, operator, revokedOperator, viewer } =
    knockers;
  const host = addressOf(record, primary);
  const at = 'PostgreSQL';
  const { user, passfile, resting } = applicationLogin;
  const shop = { host, port: stagePorts.postgres, user, database: 'shop', as: app1, passfile };
  const superuser = { ...shop, user: 'postgres', database: 'postgres' };
  const member = { host, port: stagePorts.postgres, user: 'understudy_replication', database: 'postgres', as: db2 };
  const replicates = { ...member, replication: 'true' };
  const on = (what: string, expected: RegExp, login: Login): Attempt => ({
    ...{ at, what, expected },
    make: () => psql(login),
  });
  const admitted = (what: string, login: Login): Attempt => ({ at, what, isControl: true, make: () => psql(login) });
  const noLine = /no pg_hba\.conf entry/;
  const foreign = /unknown ca|certificate verify failed|decrypt error/i;
  const expired = /certificate expired|certificate verify failed/i;
  return [
    admitted('an application, as its pooler does', shop),
    on('an application without TLS, with its password', noLine, { ...shop, sslmode: 'disable', as: null }),
    on('an application without a certificate', /valid client certificate/, { ...shop, as: null }),
    on('an application with a certificate of another authority', foreign, { ...shop, as: foreignApp1 }),
    on('an application with a revoked certificate', /certificate revoked/i, { ...shop, as: revokedOperator }),
    on('an application with an expired certificate', expired, { ...shop, as: expiredApp1 }),
    on('an application with a wrong password', /password authentication failed/, { ...shop, passfile: wrongPassfile }),
    on("an application's login that rests", /password authentication failed|not permitted to log in/, {
      ...shop,
      user: resting,
    }),
    on("an application's group", noLine, { ...shop, user: 'shop' }),
    on("an application in another's database", noLine, { ...shop, database: 'postgres' }),
    on('a superuser over the network', noLine, { ...superuser, as: operator }),
    on('a superuser over the network, without TLS', noLine, { ...superuser, sslmode: 'disable', as: null }),
    on("a superuser with a node's certificate", noLine, { ...superuser, as: db2 }),
    admitted('replication by a member', replicates),
    on('replication without a certificate', /certificate/, { ...replicates, as: null }),
    on("replication with an app node's certificate", /certificate authentication failed/, { ...replicates, as: app1 }),
    on('replication by a node that is not declared', /certificate authentication failed/, { ...replicates, as: db9 }),
    on('replication with a certificate of another authority', foreign, { ...replicates, as: foreignDb2 }),
    on('replication with an expired certificate', expired, { ...replicates, as: expiredDb2 }),
    on('replication without TLS', noLine, { ...replicates, as: null, sslmode: 'disable' }),
    on('a viewer who would be a database user', noLine, { ...shop, user: 'vera', as: viewer }),
    on('SQL in a database name', noLine, { ...shop, database: 'shop"; drop role postgres; --' }),
  ];
}

export function poolerAttempts({ knockers, passfile, wrongPassfile, record }: Target): readonly Attempt[] {
  const host = addressOf(record, 'app1');
  const at = 'pooler';
  const shop = { host, port: stagePorts.pooler, user: 'shop', database: 'shop', sslmode: 'prefer' };
  const on = (what: string, login: Login): Attempt => ({ at, what, make: () => psql(login) });
  return [
    on('no password', shop),
    on('a wrong password', { ...shop, passfile: wrongPassfile }),
    on('an unknown user', { ...shop, user: 'mallory', passfile }),
    on('a database that is not declared', { ...shop, database: 'postgres', passfile }),
    on('SQL in a database name', { ...shop, database: "shop'; drop table x; --", passfile }),
    on("the pooler's own console", { ...shop, database: 'pgbouncer', passfile }),
    on("the pooler's own console, as its administrator", {
      ...shop,
      database: 'pgbouncer',
      user: 'postgres',
      passfile,
    }),
    on('replication through the pooler', { ...shop, passfile, replication: 'true' }),
    on("a node's certificate instead of a password", { ...shop, sslmode: 'require', as: knockers.app1 }),
  ];
}

async function etcd(
  host: string,
  port: number,
  as: Knocker | null,
  path: string,
  body: object,
  scheme = 'https',
): Promise<Outcome> {
  const identity = as === null ? [] : ['--cert', as.files.certificate, '--key', as.files.key];
  const args = [
    '-sS',
    '-k',
    '--max-time',
    '10',
    ...identity,
    '-d',
    JSON.stringify(body),
    '-w',
    ' %{http_code}',
    `${scheme}://${host}:${port}${path}`,
  ];
  const { code, stderr, stdout } = await run('curl', args, { withinMs, anyExit: true });
  const status = Number(stdout.trim().slice(-3));
  const said = code === 0 ? stdout : stderr;
  return { refused: code !== 0 || status >= 400, cameBack: oneLine(said) };
}

const key = (text: string): string => Buffer.from(text).toString('base64');

export function storeAttempts({ knockers, record }: Target): readonly Attempt[] {
  const { app1, expiredStoreClient, foreignStoreClient, operator, storeClient } = knockers;
  const host = addressOf(record, record.storeMembers[0] ?? 'db1');
  const at = 'etcd';
  const port = stagePorts.storeClient;
  const read = { key: key(join('/understudy', record.cluster, 'lease')) };
  const range = '/v3/kv/range';
  const on = (what: string, make: () => Promise<Outcome>): Attempt => ({ at, what, make });
  const reads = (what: string, as: Knocker | null): Attempt => on(what, () => etcd(host, port, as, range, read));
  return [
    reads('reading the lease without a certificate', null),
    reads('reading the lease with a certificate of another authority', foreignStoreClient),
    reads('reading the lease with an expired certificate', expiredStoreClient),
    reads("reading the lease with an app node's certificate, which has no password there", app1),
    reads("reading the lease with a store client's certificate and no password", storeClient),
    reads("reading the lease with an operator's certificate", operator),
    on('reading the lease without TLS', () => etcd(host, port, null, range, read, 'http')),
    on('writing the lease with no password', () =>
      etcd(host, port, storeClient, '/v3/kv/put', { ...read, value: key('{}') }),
    ),
    on('a wrong password', () =>
      etcd(host, port, storeClient, '/v3/auth/authenticate', { name: `${record.cluster}-db1`, password: 'guess' }),
    ),
    on('root without a password', () =>
      etcd(host, port, storeClient, '/v3/auth/authenticate', { name: 'root', password: '' }),
    ),
    on('turning off who may do what', () => etcd(host, port, storeClient, '/v3/auth/disable', {})),
    on("a member's port without a certificate", () => etcd(host, stagePorts.storePeer, null, '/members', {})),
    on("a member's port with a certificate of another authority", () =>
      etcd(host, stagePorts.storePeer, foreignStoreClient, '/members', {}),
    ),
  ];
}
