import { readFileSync } from 'node:fs';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { whyNotOfDatabase } from '../src/config/database-settings.ts';
import { type ApplicationRole, applicationRoles, loginRole } from '../src/core/application-roles.ts';
import { dispensableMark } from '../src/core/local-postgres.ts';
import { whyOwned } from '../src/core/owned-parameters.ts';
import { type DatabaseSpec, defaultApplicationFiles, plainDatabase } from '../src/core/spec.ts';
import { scramVerifier } from '../src/secrets/scram-verifier.ts';
import { domain, installedMajors, soon, type TestCluster, until } from './fixtures/postgres-cluster.ts';
import { testServers } from './fixtures/postgres-servers.ts';

const databases = [plainDatabase('shop', 'keeper'), plainDatabase('Odd "name"', 'odd-owner')];
const applications = (
  [
    ['migrate', 'owner'],
    ['web', 'rw'],
    ['worker', 'rw'],
    ['report', 'ro'],
  ] as const
).map(([name, rights]) => ({
  name,
  database: 'shop',
  rights,
  nodes: ['web0'],
  poolSize: null,
  outage: 'hold' as const,
  files: defaultApplicationFiles,
  rotateEveryMs: null,
}));
const password = 'not a secret';

/** Who may make things, and the role that they belong to then. */
const makers = { migrate: 'keeper', web: 'web', worker: 'worker' } as const;

describe.each(installedMajors())('databases and applications on PostgreSQL %i', (major) => {
  const servers = testServers('describe');
  let cluster: TestCluster;
  let roles: readonly ApplicationRole[];
  const clients: pg.Client[] = [];

  beforeAll(async () => {
    ({ cluster } = await servers.replicate({ nodes: ['db1', 'db2'], major, databases, applications }));
    roles = applicationRoles(cluster.spec);
    await apply();
    await givePasswords();
  }, 90_000);
  afterAll(async () => {
    for (const client of clients) await client.end().catch(() => undefined);
  });

  const apply = (wanted = roles) => cluster.node('db1').postgres.applyDatabases(databases, wanted, soon);
  /** As the credentials of a cluster do for the login that is in turn; here all have one. */
  const givePasswords = async (): Promise<void> => {
    const { postgres } = cluster.node('db1');
    const verifier = scramVerifier(password, 4_096);
    const logins = roles.flatMap((role) => role.logins.filter(({ mayLogIn }) => mayLogIn));
    for (const { name } of logins) {
      const mark = await postgres.openLogin(name, verifier, soon);
      await postgres.lacking(mark, { ...soon, replayWithinMs: 10_000 });
    }
  };

  const connect = async (
    user: string,
    at = { node: 'db1', tls: cluster.web0, database: 'shop' },
    by = password,
  ): Promise<pg.Client> => {
    const { tls } = at;
    const client = new pg.Client({
      host: cluster.node(at.node).address,
      port: cluster.spec.postgres.port,
      user,
      database: at.database,
      password: by,
      ssl: {
        ca: readFileSync(tls.ca),
        cert: readFileSync(tls.certificate),
        key: readFileSync(tls.key),
        servername: `${at.node}.${domain}`,
        checkServerIdentity: (_, certificate) =>
          certificate.subject.CN === at.node ? undefined : new Error('another server'),
      },
    });
    client.on('error', () => undefined);
    await client.connect();
    clients.push(client);
    return client;
  };
  const login = (application: string, node = 'db1') =>
    connect(loginRole(application, 'web0', 1), { node, tls: cluster.web0, database: 'shop' });

  /** What became of a statement, undone again: `yes`, or that it was forbidden. */
  const may = async (client: pg.Client, statement: string): Promise<'yes' | 'no'> => {
    await client.query('begin');
    try {
      await client.query(statement);
      return 'yes';
    } catch (error) {
      if (error instanceof pg.DatabaseError && error.code === '42501') return 'no';
      throw error;
    } finally {
      await client.query('rollback');
    }
  };
  const attempts: Readonly<Record<string, (maker: string) => string>> = {
    read: (maker) => `select * from ${maker}_things`,
    look: (maker) => `select * from ${maker}_view`,
    write: (maker) => `insert into ${maker}_things (what) values ('x')`,
    change: (maker) => `update ${maker}_things set what = 'y' where id = 1`,
    remove: (maker) => `delete from ${maker}_things where id = 1`,
    empty: (maker) => `truncate ${maker}_things`,
    alter: (maker) => `alter table ${maker}_things add column more int`,
    drop: (maker) => `drop table ${maker}_things cascade`,
  };
  const reading = { read: 'yes', look: 'yes', write: 'no', change: 'no', remove: 'no', empty: 'no' } as const;
  const schema = { alter: 'no', drop: 'no' } as const;
  const writing = { ...reading, write: 'yes', change: 'yes', remove: 'yes', ...schema } as const;
  const all = { ...writing, empty: 'yes', alter: 'yes', drop: 'yes' } as const;

  const tableOf = async (maker: string): Promise<Readonly<Record<string, Readonly<Record<string, string>>>>> => {
    const table: Record<string, Record<string, string>> = {};
    for (const { name } of applications) {
      const client = await login(name);
      const row: Record<string, string> = {};
      for (const [what, statement] of Object.entries(attempts)) row[what] = await may(client, statement(maker));
      table[name] = row;
      await client.end();
    }
    return table;
  };
  const make = async (maker: string): Promise<void> => {
    const client = await login(maker);
    await client.query(`create table ${maker}_things (id serial primary key, what text);
      insert into ${maker}_things (what) values ('tea');
      create view ${maker}_view as select * from ${maker}_things`);
    await client.end();
  };

  const expectedIn = (owner: string) =>
    Object.fromEntries(
      applications.map(({ name, rights }) => {
        if (rights === 'ro') return [name, { ...reading, ...schema }];
        return [name, rights === 'owner' || name === owner ? all : writing];
      }),
    );

  it.each(Object.entries(makers))('give each application its rights in what %s makes', async (maker, owner) => {
    await make(maker);
    expect(await tableOf(maker)).toEqual(expectedIn(owner));
    const owners = `select distinct relowner::regrole::text as owner from pg_class where relname ~ '^${maker}_'`;
    const client = await login('report');
    expect((await client.query(owners)).rows).toEqual([{ owner }]);
  });

  it('let only the owner make schemas, and everybody use them', async () => {
    const made: Record<string, string> = {};
    for (const { name } of applications) made[name] = await may(await login(name), `create schema of_${name}`);
    expect(made).toEqual({ migrate: 'yes', web: 'no', worker: 'no', report: 'no' });
    const migrate = await login('migrate');
    await migrate.query('create schema more; create table more.things (id int)');
    expect(await may(await login('report'), 'select * from more.things')).toBe('yes');
    expect(await may(await login('report'), 'insert into more.things values (1)')).toBe('no');
    expect(await may(await login('web'), 'insert into more.things values (1)')).toBe('yes');
    expect(await may(await login('web'), 'create table more.mine (id int)')).toBe('no');
    expect(await may(await login('report'), 'create table mine (id int)')).toBe('no');
    expect(await may(await login('report'), 'create temporary table mine (id int)')).toBe('yes');
  });

  it('take in what was there before an application was declared', async () => {
    const late = applications.filter(({ name }) => name !== 'worker');
    await apply(applicationRoles({ ...cluster.spec, applications: late }));
    const inside = await asSuperuser();
    await inside.query(`create table worker_early (id int); alter table worker_early owner to worker`);
    await apply();
    expect(await may(await login('report'), 'select * from worker_early')).toBe('yes');
    expect(await may(await login('web'), 'insert into worker_early values (1)')).toBe('yes');
    expect(await may(await login('report'), 'insert into worker_early values (1)')).toBe('no');
    // Tables of the superuser are nobody's but his.
    await inside.query('create table secret (id int)');
    await apply(roles.slice(0, 3));
    await apply();
    expect(await may(await login('report'), 'select * from secret')).toBe('no');
  });

  it('leave nothing that can be changed with an application that may only read from now on', async () => {
    const web = await login('web');
    await web.query(`create table web_kept (id serial primary key); insert into web_kept default values;
      create function web_kept() returns int language sql as 'select 1'`);
    await apply(roles.map((role) => (role.name === 'web' ? { ...role, rights: 'ro' as const } : role)));
    // In a session that began before, too.
    for (const client of [web, await login('web')]) {
      expect(await may(client, 'select * from web_kept')).toBe('yes');
      for (const statement of [
        'insert into web_kept default values',
        'drop table web_kept',
        'drop function web_kept()',
      ])
        expect(await may(client, statement)).toBe('no');
    }
    expect(await may(await login('migrate'), 'alter table web_kept add column more int')).toBe('yes');
    await apply();
    expect(await may(await login('web'), 'insert into web_kept default values')).toBe('yes');
  });

  it('let nobody else in', async () => {
    const web = loginRole('web', 'web0', 1);
    const at = { node: 'db1', tls: cluster.web0, database: 'shop' };
    for (const attempt of [
      () => connect(web, { ...at, database: 'Odd "name"' }),
      () => connect(web, { ...at, database: 'postgres' }),
      // The group, the login that rests, the owner, the groups of rights, and roles of the cluster.
      ...[
        'web',
        loginRole('web', 'web0', 2),
        'keeper',
        'shop:read',
        'shop:write',
        'postgres',
        'understudy_replication',
      ].map((user) => () => connect(user)),
    ]) {
      await expect(attempt()).rejects.toMatchObject({ code: expect.stringMatching(/^28(000|P01)$/) });
    }
  });

  it('ask for a password besides', async () => {
    const attempt = connect(loginRole('web', 'web0', 1), undefined, 'a guess');
    await expect(attempt).rejects.toMatchObject({ code: '28P01' });
  });

  it('change nothing when nothing changed, and end the sessions of who is no longer let in, on standbys too', async () => {
    await apply();
    const ended = new Set<string>();
    for (const node of ['db1', 'db2']) (await login('report', node)).on('end', () => ended.add(node));
    await apply(roles.filter(({ name }) => name !== 'report'));
    await until('the session on the primary is ended', async () => ended.has('db1'));
    await expect(login('report')).rejects.toMatchObject({ code: '28000' });
    const { postgres, observe } = cluster.node('db2');
    await until('the standby sees that one is left', async () => (await observe('standby')).retiredSessions === 1);
    await postgres.endRetiredSessions(soon);
    await until('the session on the standby is ended', async () => ended.has('db2'));
    await until('and none is left', async () => (await observe('standby')).retiredSessions === 0);
    await expect(login('report', 'db2')).rejects.toMatchObject({ code: '28000' });
    await apply();
    expect((await (await login('report')).query('select 1 as one')).rows).toEqual([{ one: 1 }]);
  });

  it('bring a session to its end that would go on with rights of before', async () => {
    const migrate = await login('migrate');
    let isEnded = false;
    migrate.on('end', () => {
      isEnded = true;
    });
    await apply(roles.map((role) => (role.name === 'migrate' ? { ...role, rights: 'ro' as const } : role)));
    await until('the session is ended', async () => isEnded);
    const reader = await login('migrate');
    expect((await reader.query('select current_user as me')).rows).toEqual([{ me: 'migrate' }]);
    expect(await may(reader, 'drop table migrate_things cascade')).toBe('no');
    expect(await may(reader, 'set role keeper')).toBe('no');
    expect(await may(reader, 'select * from migrate_things')).toBe('yes');
    await apply();
    expect((await (await login('migrate')).query('select current_user as me')).rows).toEqual([{ me: 'keeper' }]);
  });

  it('act as the application also when a pooler has cleared the session for the next client', async () => {
    for (const [name, acts] of [
      ['web', 'web'],
      ['migrate', 'keeper'],
    ] as const) {
      const client = await login(name);
      await client.query('discard all');
      expect((await client.query('select current_user as me')).rows).toEqual([{ me: acts }]);
    }
  });

  it('make groups of applications that an earlier version let in themselves', async () => {
    const { sql } = cluster.node('db1');
    await sql.execute(
      `drop schema understudy cascade; revoke web from keeper; revoke "shop:write" from web; alter role web login; grant keeper to web;
       alter role web in database shop set role = 'keeper'`,
      5_000,
    );
    await apply();
    const inside = await asSuperuser();
    expect((await inside.query("select rolcanlogin from pg_roles where rolname = 'web'")).rows).toEqual([
      { rolcanlogin: false },
    ]);
    const web = await login('web');
    expect((await web.query('select current_user as me, session_user as login')).rows).toEqual([
      { me: 'web', login: 'web@web0:1' },
    ]);
    expect(await may(web, 'drop table migrate_things cascade')).toBe('no');
  });

  describe('with options', () => {
    const wiki: DatabaseSpec = {
      ...plainDatabase('wiki', 'keeper'),
      encoding: 'LATIN1',
      locale: 'C',
      extensions: ['pg_trgm', 'earthdistance'],
      connectionLimit: 7,
      settings: { statement_timeout: '30s', search_path: 'public, pg_catalog', jit: 'off' },
    };
    const declare = (...specs: readonly DatabaseSpec[]) =>
      cluster.node('db1').postgres.applyDatabases([...databases, ...specs], roles, soon);
    const state = async (...specs: readonly DatabaseSpec[]) =>
      cluster.node('db1').postgres.databaseState([...databases, ...specs], roles, soon);
    const revert = async (name: string, ...specs: readonly DatabaseSpec[]) =>
      cluster.node('db1').postgres.applyDatabases([...databases, ...specs], roles, {
        ...soon,
        reverts: (each) => each === name,
      });
    const inWiki = async (sql: string) => (await (await asSuperuser('wiki')).query<Record<string, unknown>>(sql)).rows;

    it('make what is declared, and find nothing wrong with it', async () => {
      await declare(wiki);
      expect(
        await inWiki(
          `select pg_encoding_to_char(encoding) as encoding, datcollate as locale, datconnlimit as most,
            current_setting('statement_timeout') as timeout, current_schemas(false)::text as path,
            (select string_agg(extname, ' ' order by extname) from pg_extension) as extensions,
            (select nspname from pg_namespace n join pg_extension e on extnamespace = n.oid where extname = 'pg_trgm') as at
          from pg_database where datname = 'wiki'`,
        ),
      ).toEqual([
        {
          encoding: 'LATIN1',
          locale: 'C',
          most: 7,
          timeout: '30s',
          path: '{public,pg_catalog}',
          extensions: 'cube earthdistance pg_trgm plpgsql',
          at: 'public',
        },
      ]);
      expect(await state(wiki)).toMatchObject({ drift: [], retired: [], leftovers: [], troubles: [] });
    });

    it('are refused in the file where PostgreSQL refuses them, and otherwise only where they would do harm', async () => {
      const { rows } = await (await asSuperuser()).query<{ name: string; context: string }>(
        `select lower(name) as name, context from pg_settings where name !~ '[.]'`,
      );
      const refusedByServer = rows.filter(({ context }) => !['user', 'superuser'].includes(context));
      const left = refusedByServer.filter(({ name }) => (whyOwned(name) ?? whyNotOfDatabase(name)) === undefined);
      expect(left.map(({ name }) => name)).toEqual([]);
      const harmful = rows.filter(({ name }) => !refusedByServer.some((each) => each.name === name));
      const known = harmful.filter(({ name }) => whyOwned(name) === undefined && whyNotOfDatabase(name) !== undefined);
      const atMost = [
        ...['allow_in_place_tablespaces', 'allow_system_table_mods', 'dynamic_library_path', 'extension_control_path'],
        ...['extension_destdir', 'ignore_checksum_failure', 'lo_compat_privileges', 'local_preload_libraries'],
        ...['session_preload_libraries', 'transaction_deferrable', 'transaction_isolation', 'transaction_read_only'],
        'zero_damaged_pages',
      ];
      expect(known.map(({ name }) => name).filter((name) => !atMost.includes(name))).toEqual([]);
    });

    it('do everything else when PostgreSQL refuses a setting, and say which', async () => {
      const refused = { ...wiki, settings: { ...wiki.settings, work_mem: 'banana' }, connectionLimit: 9 };
      const zeta = plainDatabase('zeta', 'zeta-owner');
      const applied = cluster.node('db1').postgres.applyDatabases([...databases, refused, zeta], roles, soon);
      await expect(applied).rejects.toMatchObject({ cause: { message: expect.stringContaining('work_mem') } });
      const admin = await asSuperuser();
      const { rows } = await admin.query(
        "select datname as name, datconnlimit as most from pg_database where datname in ('wiki', 'zeta') order by 1",
      );
      expect(rows).toEqual([
        { name: 'wiki', most: 9 },
        { name: 'zeta', most: -1 },
      ]);
      await cluster
        .node('db1')
        .postgres.dropDatabase('zeta', databases, roles, soon)
        .catch(() => undefined);
      await declare(wiki);
    });

    it('find the roles of a database that could not be made, and take them away when asked', async () => {
      const impossible = { ...plainDatabase('zeta', 'zeta-owner'), locale: 'xx_YY' };
      const { postgres } = cluster.node('db1');
      for (let time = 0; time < 2; time += 1)
        await expect(postgres.applyDatabases([...databases, wiki, impossible], roles, soon)).rejects.toMatchObject({
          code: 'POSTGRES_FAILED',
        });
      expect((await state(wiki, impossible)).leftovers).toEqual([]);
      await declare(wiki);
      const left = { database: 'zeta', roles: ['zeta-owner', 'zeta:write', 'zeta:read'] };
      expect(await state(wiki)).toMatchObject({ drift: [], retired: [], leftovers: [left], troubles: [] });
      expect(await postgres.dropDatabase('zeta', [...databases, wiki], roles, soon)).toEqual({
        roles: left.roles,
        kept: [],
      });
      expect(await state(wiki)).toMatchObject({ retired: [], leftovers: [] });
      const there = `select rolname from pg_roles where rolname ~ '^zeta'`;
      expect((await (await asSuperuser()).query(there)).rows).toEqual([]);
    });

    it('say which package is missing, with everything else done', async () => {
      const missing = { ...wiki, extensions: ['no_such_thing', ...wiki.extensions], connectionLimit: 8 };
      await expect(declare(missing)).rejects.toMatchObject({
        code: 'EXTENSION_MISSING',
        message: expect.stringContaining(
          `no_such_thing of wiki is not installed here: its package may be postgresql-${major}-no-such-thing`,
        ),
        hint: expect.stringContaining('what is there now: '),
      });
      expect(await inWiki("select datconnlimit as most from pg_database where datname = 'wiki'")).toEqual([
        { most: 8 },
      ]);
      await declare(wiki);
    });

    it('leave alone what somebody changed by hand, say so, and undo it when asked', async () => {
      const { sql } = cluster.node('db1');
      await sql.execute('alter database wiki connection limit 5', 5_000);
      await sql.execute("alter database wiki set statement_timeout = '1h'", 5_000);
      await sql.execute("alter database wiki set work_mem = '64MB'", 5_000);
      await sql.execute('grant "wiki:read" to report', 5_000);
      await sql.execute('alter role report createdb createrole', 5_000);
      await sql.execute('grant postgres, pg_read_all_data to web', 5_000);
      await sql.execute('create role "web@web0:9" login replication', 5_000);
      await (await asSuperuser('wiki')).query('drop extension pg_trgm');
      const drift = [
        { name: 'connection limit of wiki', kind: 'changed', actual: '5', declared: '7' },
        { name: 'statement_timeout of wiki', kind: 'changed', actual: '1h', declared: '30s' },
        { name: 'work_mem of wiki', kind: 'changed', actual: '64MB', declared: null },
        { name: 'memberships of report', kind: 'changed', actual: 'shop:read, wiki:read', declared: 'shop:read' },
        { name: 'attributes of report', kind: 'given', actual: 'CREATEDB, CREATEROLE', declared: null },
        {
          name: 'other memberships of web',
          kind: 'given',
          actual: 'pg_read_all_data (reads every table), postgres (a superuser: may do anything)',
          declared: null,
        },
        { name: 'login web@web0:9', kind: 'given', actual: 'LOGIN, REPLICATION', declared: null },
        { name: 'extension pg_trgm of wiki', kind: 'changed', actual: null, declared: 'installed' },
      ];
      expect((await state(wiki)).drift).toEqual(drift);
      await declare(wiki);
      // Whoever becomes primary knows as much: it stands in the database.
      const next = cluster.node('db1').reborn();
      expect((await next.postgres.databaseState([...databases, wiki], roles, soon)).drift).toEqual(drift);
      await revert('connection limit of wiki', wiki);
      expect((await state(wiki)).drift).toEqual(drift.slice(1));
      await cluster.node('db1').postgres.applyDatabases([...databases, wiki], roles, { ...soon, reverts: () => true });
      expect((await state(wiki)).drift).toEqual([]);
    });

    it('take a change of the declaration for a decision', async () => {
      await cluster.node('db1').sql.execute('alter database wiki connection limit 5', 5_000);
      await declare({ ...wiki, connectionLimit: 9, settings: { jit: 'off' } });
      expect(
        await inWiki(
          `select datconnlimit as most, (select setconfig::text from pg_db_role_setting where setdatabase = d.oid and setrole = 0)
            as settings from pg_database d where datname = 'wiki'`,
        ),
      ).toEqual([{ most: 9, settings: '{jit=off}' }]);
      await declare(wiki);
    });

    it('tell which database nobody can look into, and look into the others', async () => {
      const { sql } = cluster.node('db1');
      const more = { ...plainDatabase('more', 'keeper'), extensions: ['pg_trgm'] };
      await declare(wiki, more);
      await (await asSuperuser('more')).query('drop extension pg_trgm');
      await sql.execute('alter database wiki allow_connections false', 5_000);
      const { drift, troubles } = await state(wiki, more);
      expect(troubles).toEqual([expect.stringContaining('the database wiki: ')]);
      expect(drift.map(({ name }) => name)).toEqual(['extension pg_trgm of more']);
      await sql.execute('alter database wiki allow_connections true', 5_000);
      for (const client of clients.splice(0)) await client.end().catch(() => undefined);
      await declare(wiki);
      await cluster.node('db1').postgres.dropDatabase('more', [...databases, wiki], roles, soon);
    });

    it('keep an extension that is no longer declared, and what can not be changed', async () => {
      const less: DatabaseSpec = { ...wiki, extensions: ['pg_trgm'], encoding: 'UTF8' };
      await declare(less);
      expect((await state(less)).drift).toEqual([
        { name: 'encoding of wiki', kind: 'fixed', actual: 'LATIN1', declared: 'UTF8' },
        { name: 'extension earthdistance of wiki', kind: 'kept', actual: 'installed', declared: null },
      ]);
      await declare(wiki);
    });

    it('do not make a database again that was dropped by hand, until somebody asks', async () => {
      for (const client of clients.splice(0)) await client.end().catch(() => undefined);
      await cluster.node('db1').sql.execute('drop database wiki with (force)', 20_000);
      await declare(wiki);
      expect((await state(wiki)).drift).toEqual([
        { name: 'database wiki', kind: 'changed', actual: null, declared: 'open' },
      ]);
      await revert('database wiki', wiki);
      expect(await state(wiki)).toMatchObject({ drift: [], retired: [], leftovers: [], troubles: [] });
      expect(await inWiki("select count(*)::int as n from pg_extension where extname = 'pg_trgm'")).toEqual([{ n: 1 }]);
    });

    it('close a database that is no longer declared, keep its data, open it again, and drop it when asked', async () => {
      const reader = applicationRoles({
        ...cluster.spec,
        applications: [{ ...applications[3], name: 'reader', database: 'wiki' }].map((each) => ({
          ...each,
          rights: 'ro' as const,
          nodes: ['web0'],
          poolSize: null,
          outage: 'hold' as const,
          files: defaultApplicationFiles,
          rotateEveryMs: null,
        })),
      });
      const { postgres, sql } = cluster.node('db1');
      const both = [...roles, ...reader];
      await postgres.applyDatabases([...databases, wiki], both, soon);
      await (await asSuperuser('wiki')).query('create table kept as select 1 as one');
      await sql.execute('create role person login; grant connect on database wiki to person', 5_000);
      await declare();
      expect(await state()).toMatchObject({ drift: [], retired: ['wiki'], leftovers: [], troubles: [] });
      const allowed = `select count(*)::int as n from pg_roles r where not rolsuper
        and has_database_privilege(r.oid, (select oid from pg_database where datname = 'wiki'), 'connect')`;
      // pg_database_owner and the like are no roles to log in with.
      expect(await inWiki(`${allowed} and r.rolname !~ '^pg_'`)).toEqual([{ n: 0 }]);
      await expect(postgres.dropDatabase('shop', databases, roles, soon)).rejects.toMatchObject({ code: 'REFUSED' });
      await expect(postgres.dropDatabase('nope', databases, roles, soon)).rejects.toMatchObject({ code: 'NOT_FOUND' });
      await postgres.applyDatabases([...databases, wiki], both, soon);
      expect(await inWiki('select one from kept')).toEqual([{ one: 1 }]);
      expect(await inWiki(`${allowed} and r.rolname in ('keeper', 'wiki:read', 'reader@web0:1')`)).toEqual([{ n: 3 }]);
      await declare();
      expect(await postgres.dropDatabase('wiki', databases, roles, soon)).toEqual({
        roles: ['reader@web0:1', 'reader@web0:2', 'reader', 'wiki:write', 'wiki:read'],
        kept: [],
      });
      expect(await state()).toMatchObject({ drift: [], retired: [], leftovers: [], troubles: [] });
      const left = `select rolname from pg_roles where rolname ~ '^(reader|wiki)'`;
      expect((await (await asSuperuser('shop')).query(left)).rows).toEqual([]);
    });
  });

  it('take access away whatever else is wrong, and go on with the rest once that is mended', async () => {
    const { postgres, sql } = cluster.node('db1');
    let isEnded = false;
    (await login('report')).on('end', () => {
      isEnded = true;
    });
    await sql.execute('alter role keeper superuser', 5_000);
    const less = roles.map((role) => (role.name === 'report' ? { ...role, logins: [] } : role));
    await expect(apply(less)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('keeper is a superuser'),
    });
    await until('the session is ended', async () => isEnded);
    await expect(login('report')).rejects.toMatchObject({ code: '28000' });
    const { drift, troubles } = await postgres.databaseState(databases, less, soon);
    expect(troubles).toEqual([expect.stringContaining('keeper is a superuser')]);
    expect(drift).toContainEqual({ name: 'attributes of keeper', kind: 'given', actual: 'SUPERUSER', declared: null });
    await postgres.applyDatabases(databases, roles, { ...soon, reverts: (each) => each === 'attributes of keeper' });
    expect(await postgres.databaseState(databases, roles, soon)).toMatchObject({
      drift: [],
      retired: [],
      leftovers: [],
      troubles: [],
    });
    expect((await (await login('report')).query('select 1 as one')).rows).toEqual([{ one: 1 }]);
  });

  it('end whoever slipped into a database that is no longer declared, on standbys too', async () => {
    const { sql } = cluster.node('db1');
    const others = databases.filter(({ name }) => name !== 'shop');
    // Its applications are left as they are.
    await expect(cluster.node('db1').postgres.applyDatabases(others, roles, soon)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
    });
    await expect(login('report')).rejects.toMatchObject({ code: '42501' });
    await sql.execute('grant connect on database shop to report', 5_000);
    const ended = new Set<string>();
    for (const node of ['db1', 'db2']) {
      const client = await until('one gets in', () => login('report', node).catch(() => undefined));
      client.on('end', () => ended.add(node));
    }
    const seen = async (node: 'db1' | 'db2') =>
      (await cluster.node(node).observe(node === 'db1' ? 'primary' : 'standby')).retiredSessions;
    // Somebody let him in by hand.
    expect([await seen('db1'), await seen('db2')]).toEqual([0, 0]);
    await sql.execute('revoke connect on database shop from report', 5_000);
    for (const node of ['db1', 'db2'] as const) {
      await until('it is seen', async () => (await seen(node)) === 1);
      await cluster.node(node).postgres.endRetiredSessions(soon);
      await until('it is ended', async () => ended.has(node));
    }
    await apply();
    expect(await cluster.node('db1').postgres.databaseState(databases, roles, soon)).toMatchObject({
      drift: [],
      retired: [],
      leftovers: [],
      troubles: [],
    });
    await until('the standby lets in again', () => login('report', 'db2').catch(() => undefined));
    expect([await seen('db1'), await seen('db2')]).toEqual([0, 0]);
  });

  it('give nothing in temporary tables, nor in what is dropped meanwhile', async () => {
    const { sql } = cluster.node('db1');
    const worker = await login('worker');
    await worker.query('create temporary table mine (id int)');
    await worker.query('revoke all on mine from "shop:read", "shop:write", worker');
    const inside = await asSuperuser();
    await inside.query('create table doomed (id int); alter table doomed owner to worker');
    await sql.execute("delete from understudy.applied where item = 'rights in what worker makes'", 5_000);
    await inside.query('begin; drop table doomed');
    const applied = apply();
    // Within a transaction the statistics stand still.
    const watching = await asSuperuser();
    await until('it waits for the one who drops', async () => {
      const waiting = `select from pg_stat_activity where wait_event_type = 'Lock' and query ~ 'DEFAULT PRIVILEGES'`;
      return (await watching.query(waiting)).rowCount === 1;
    });
    await inside.query('commit');
    await applied;
    expect((await inside.query("select relacl from pg_class where relname = 'mine'")).rows).toEqual([{ relacl: '{}' }]);
  });

  it('refuse an application with the name of a superuser', async () => {
    const [role] = roles;
    if (role === undefined) throw new Error('no roles');
    await expect(apply([...roles, { ...role, name: 'postgres', rights: 'rw', logins: [] }])).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
    });
  });

  it('show open transactions of clients, and end them', async () => {
    const { postgres } = cluster.node('db1');
    const web = await login('web');
    await web.query('begin');
    await web.query('select 1');
    const open = await postgres.openTransactions(soon);
    expect(open).toMatchObject([
      { user: 'web@web0:1', database: 'shop', state: 'idle in transaction', clientAddress: '127.0.0.1' },
    ]);
    const reader = await login('web');
    await reader.query(`select pg_try_advisory_lock_shared(${dispensableMark.classId}, ${dispensableMark.objectId})`);
    await reader.query('begin');
    await reader.query('select 1');
    // Nobody waits for one that is marked so.
    expect(await postgres.openTransactions(soon)).toHaveLength(1);
    await reader.end();
    await postgres.endSessions(
      open.map(({ pid }) => pid),
      soon,
    );
    await until('it is ended', async () => (await postgres.openTransactions(soon)).length === 0);
  });

  const asSuperuser = async (database = 'shop'): Promise<pg.Client> => {
    const { layout } = cluster.node('db1');
    const client = new pg.Client({
      host: layout.run,
      port: cluster.spec.postgres.port,
      user: 'postgres',
      database,
    });
    client.on('error', () => undefined);
    await client.connect();
    clients.push(client);
    return client;
  };
});
