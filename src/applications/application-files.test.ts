import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ApplicationFilesSpec, type ApplicationSpec, defaultApplicationFiles } from '../core/spec.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { ClientLogins } from '../ports/client-logins.ts';
import type { Accounts } from './accounts.ts';
import { FilesOfApplications } from './application-files.ts';
import { connectionFiles, filesOf, readConnection } from './connection-files.ts';

const uid = process.getuid?.() ?? 0;
const gid = process.getgid?.() ?? 0;
const isRoot = uid === 0;
/** Of nobody else: only root may give files away. */
const accounts: Accounts = {
  user: async (name) => {
    if (name === 'www-data') return { uid: isRoot ? 33 : uid, gid: isRoot ? 33 : gid };
    throw new UnderstudyError('NOT_FOUND', `there is no user ${name} on this node`, { hint: 'make it' });
  },
  group: async () => (isRoot ? 33 : gid),
};

class Logins implements ClientLogins {
  readonly known = new Map<string, string>();

  readonly trouble = null;
  /** Those that have a second password. */
  readonly renewed = new Set<string>();

  of(application: string, generation: number | null): ReturnType<ClientLogins['of']> {
    const password = this.known.get(application) ?? `secret-of-${application}`;
    this.known.set(application, password);
    const first = { user: application, password };
    const second = { user: `${application}.2`, password: `second-of-${application}` };
    if (!this.renewed.has(application)) return { told: first, alsoGood: null };
    return generation === 2 ? { told: second, alsoGood: first } : { told: first, alsoGood: null };
  }

  reach(): never {
    throw new Error('nobody who writes files asks for another password');
  }

  applications(): readonly string[] {
    return [...this.known.keys()];
  }

  forget(application: string): void {
    this.known.delete(application);
  }
}

let root: string;
let directory: string;
let logins: Logins;
let files: FilesOfApplications;
/** By application, the password that the pooler takes. */
let taken: Record<string, number>;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'understudy-files-'));
  directory = join(root, 'apps');
  writeFileSync(join(root, 'ca.crt'), 'the authority');
  logins = new Logins();
  taken = {};
  files = new FilesOfApplications(
    { directory, socketDirectory: '/run/a:b', topologySocket: '/run/t.sock', authority: join(root, 'ca.crt') },
    logins,
    accounts,
  );
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function application(name: string, more: Partial<ApplicationFilesSpec> = {}): ApplicationSpec {
  return {
    name,
    database: name,
    rights: 'rw',
    nodes: ['web1'],
    poolSize: null,
    outage: 'hold',
    rotateEveryMs: null,
    files: { ...defaultApplicationFiles, ...more },
  };
}

async function keep(...applications: ApplicationSpec[]): Promise<string | null> {
  return await files.keep({
    listenAddress: '0.0.0.0',
    port: 6432,
    applications,
    databaseNodes: ['db1'],
    clientPasswords: taken,
  });
}

function content(name: string, of = 'shop'): string {
  return readFileSync(join(directory, of, name), 'utf8');
}

describe('what an application finds', () => {
  beforeEach(async () => expect(await keep(application('shop'))).toBeNull());

  it('is a service file with both aliases', () => {
    expect(content('pg_service.conf')).toBe(`# Written by understudy; changes made here are lost.
[shop]
host=127.0.0.1
port=6432
dbname=shop
user=shop
password=secret-of-shop
sslmode=disable

[shop-ro]
host=127.0.0.1
port=6432
dbname=shop-ro
user=shop
password=secret-of-shop
sslmode=disable
`);
  });

  it('is a passfile for TCP and the socket', () => {
    expect(content('pgpass').trimEnd().split('\n')).toEqual([
      '127.0.0.1:6432:shop:shop:secret-of-shop',
      '127.0.0.1:6432:shop-ro:shop:secret-of-shop',
      '127.0.0.1:6432:shop.db1:shop:secret-of-shop',
      '/run/a\\:b:6432:shop:shop:secret-of-shop',
      '/run/a\\:b:6432:shop-ro:shop:secret-of-shop',
      '/run/a\\:b:6432:shop.db1:shop:secret-of-shop',
    ]);
  });

  it('is an environment that needs no quotes', () => {
    const lines = content('env').trimEnd().split('\n').slice(1);
    expect(lines).toContain('PGHOST=127.0.0.1');
    expect(lines).toContain('DATABASE_URL=postgresql://shop:secret-of-shop@127.0.0.1:6432/shop?sslmode=disable');
    expect(lines).toContain('DATABASE_URL_RO=postgresql://shop:secret-of-shop@127.0.0.1:6432/shop-ro?sslmode=disable');
    for (const line of lines) expect(line).toMatch(/^[A-Z_]+=[A-Za-z0-9_.:/@%?=-]+$/);
  });

  it('is JSON that the command line reads without the password', () => {
    expect(JSON.parse(content('connection.json'))).toMatchObject({ password: 'secret-of-shop', write: 'shop' });
    expect(JSON.parse(content('connection.json'))).toMatchObject({
      nodes: { db1: 'shop.db1' },
      topology: '/run/t.sock',
    });
    const [found] = filesOf('shop', connectionFiles([{ node: 'web1', files: directory }]));
    const read = readConnection(found, 'read');
    expect(read.uri).toContain('/shop-ro?passfile=');
    expect(JSON.stringify(read)).not.toContain('secret');
    expect(readConnection(found, { node: 'db1' }).uri).toContain('/shop.db1?passfile=');
    for (const node of ['db9', 'constructor']) {
      expect(() => readConnection(found, { node })).toThrow(expect.objectContaining({ code: 'NOT_FOUND' }));
    }
  });

  it('is private, and written once', async () => {
    const before = statSync(join(directory, 'shop', 'env')).ino;
    const names = readdirSync(join(directory, 'shop'));
    expect(names.sort()).toEqual(['ca.crt', 'connection.json', 'env', 'pg_service.conf', 'pgpass']);
    for (const name of names.filter((each) => each !== 'ca.crt')) {
      expect(statSync(join(directory, 'shop', name)).mode & 0o777).toBe(0o600);
    }
    await keep(application('shop'));
    expect(statSync(join(directory, 'shop', 'env')).ino).toBe(before);
  });

  it("has the authority's certificate beside it, for everybody, as the node has it now", async () => {
    expect(statSync(join(directory, 'shop', 'ca.crt')).mode & 0o777).toBe(0o644);
    writeFileSync(join(root, 'ca.crt'), 'the next authority');
    await keep(application('shop'));
    expect(content('ca.crt')).toBe('the next authority');
  });

  it('comes back when somebody changed or removed it', async () => {
    writeFileSync(join(directory, 'shop', 'env'), 'PGHOST=elsewhere\n');
    chmodSync(join(directory, 'shop', 'pgpass'), 0o644);
    rmSync(join(directory, 'shop', 'pg_service.conf'));
    await keep(application('shop'));
    expect(content('env')).toContain('PGHOST=127.0.0.1');
    expect(statSync(join(directory, 'shop', 'pgpass')).mode & 0o777).toBe(0o600);
    expect(content('pg_service.conf')).toContain('[shop-ro]');
  });
});

describe('whose it is', () => {
  it('is as declared; the passfile stays with its owner alone, as libpq wants it', async () => {
    expect(await keep(application('shop', { owner: 'www-data', mode: '0640' }))).toBeNull();
    const of = (name: string) => statSync(join(directory, 'shop', name));
    expect(of('env')).toMatchObject(isRoot ? { uid: 33, gid: 33 } : { uid, gid });
    expect(of('env').mode & 0o777).toBe(0o640);
    expect(of('pg_service.conf').mode & 0o777).toBe(0o640);
    expect(of('pgpass').mode & 0o777).toBe(0o600);
    expect(await keep(application('shop', { mode: '0400' }))).toBeNull();
    expect(of('env')).toMatchObject({ uid, gid });
    expect(of('env').mode & 0o777).toBe(0o400);
  });

  it('is told when nobody is called so, and nothing is written; others get theirs', async () => {
    const trouble = await keep(application('shop', { owner: 'nobody-here' }), application('blog'));
    expect(trouble).toBe('files of shop: there is no user nobody-here on this node (make it)');
    expect(existsSync(join(directory, 'shop'))).toBe(false);
    expect(content('env', 'blog')).toContain('PGUSER=blog');
  });
});

describe('another password', () => {
  it('is told when the pooler takes it, and the passfile has the one before for who names that user', async () => {
    await keep(application('shop'));
    logins.renewed.add('shop');
    await keep(application('shop'));
    expect(content('env')).toContain('PGUSER=shop\n');
    taken = { shop: 2 };
    await keep(application('shop'));
    expect(content('env')).toContain('PGUSER=shop.2\nPGDATABASE=shop\nPGPASSWORD=second-of-shop\n');
    expect(content('env')).toContain('DATABASE_URL=postgresql://shop.2:second-of-shop@');
    expect(content('pg_service.conf')).toContain('user=shop.2\npassword=second-of-shop');
    expect(content('pg_service.conf')).not.toContain('secret-of-shop');
    expect(content('pgpass').split('\n')).toContain('127.0.0.1:6432:shop:shop.2:second-of-shop');
    expect(content('pgpass').split('\n')).toContain('127.0.0.1:6432:shop:shop:secret-of-shop');
  });
});

describe('tricks with paths', () => {
  it('refuses a link in the place of a directory, and leaves what it leads to alone', async () => {
    const elsewhere = join(root, 'elsewhere');
    mkdirSync(elsewhere);
    writeFileSync(join(elsewhere, 'env'), 'mine');
    mkdirSync(directory);
    symlinkSync(elsewhere, join(directory, 'shop'));
    expect(await keep(application('shop'))).toContain('is a symbolic link');
    expect(readdirSync(elsewhere)).toEqual(['env']);
    expect(await keep()).toBeNull();
    expect(readFileSync(join(elsewhere, 'env'), 'utf8')).toBe('mine');
  });

  it('refuses a directory that others may write in', async () => {
    mkdirSync(directory);
    chmodSync(directory, 0o777);
    expect(await keep(application('shop'))).toContain('can be written by others');
    expect(readdirSync(directory)).toEqual([]);
  });

  it('replaces a link in the place of a file, and writes not through it', async () => {
    const victim = join(root, 'victim');
    writeFileSync(victim, 'mine');
    mkdirSync(join(directory, 'shop'), { recursive: true });
    symlinkSync(victim, join(directory, 'shop', 'env'));
    symlinkSync(victim, join(directory, 'shop', '.env.new'));
    expect(await keep(application('shop'))).toBeNull();
    expect(readFileSync(victim, 'utf8')).toBe('mine');
    expect(lstatSync(join(directory, 'shop', 'env')).isSymbolicLink()).toBe(false);
  });
});

describe('who left', () => {
  it('has no files and no password; files of others in the directory stay', async () => {
    await keep(application('shop'), application('blog'));
    writeFileSync(join(directory, 'blog', 'notes'), 'mine');
    expect(await keep(application('shop'))).toBeNull();
    expect(readdirSync(directory).sort()).toEqual(['blog', 'shop']);
    expect(readdirSync(join(directory, 'blog'))).toEqual(['notes']);
    expect(logins.applications()).toEqual(['shop']);
    expect(await keep()).toBeNull();
    expect(readdirSync(directory)).toEqual(['blog']);
  });

  it('is the whole node: its files go, and come back with the same passwords', async () => {
    await keep(application('shop'));
    expect(await files.leave()).toBeNull();
    expect(readdirSync(directory)).toEqual([]);
    expect(logins.applications()).toEqual(['shop']);
    await keep(application('shop'));
    expect(content('env')).toContain('secret-of-shop');
  });
});
