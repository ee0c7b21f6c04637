import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { connectionUri } from '../applications/pooler-connection.ts';
import { clientConfig, passwordIn } from './connection-uri.ts';

const directory = mkdtempSync(join(tmpdir(), 'understudy-uri-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

async function passwordOf(uri: string): Promise<unknown> {
  const { password } = clientConfig(uri);
  return typeof password === 'function' ? await password() : password;
}

describe('a connection URI', () => {
  it('is read as understudy uri prints it, with the password of the passfile as it is now', async () => {
    const passfile = join(directory, 'pgpass');
    const connection = { host: '127.80.1.101', port: 6432, socketDirectory: '/run', user: 'the shop', passfile };
    const uri = connectionUri({ ...connection, write: 'shop', read: null, nodes: {}, topology: null }, 'shop');
    expect(clientConfig(uri)).toMatchObject({
      host: '127.80.1.101',
      port: 6432,
      user: 'the shop',
      database: 'shop',
      ssl: false,
    });
    writeFileSync(passfile, '127.80.1.101:6432:other:the shop:no\n127.80.1.101:6432:shop:the shop:first\n');
    expect(await passwordOf(uri)).toBe('first');
    writeFileSync(passfile, '*:*:*:the shop:second\n');
    expect(await passwordOf(uri)).toBe('second');
    writeFileSync(passfile, '*:*:*:somebody:third\n');
    await expect(passwordOf(uri)).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });

  it('may name a socket directory, IPv6, and its own password', async () => {
    expect(clientConfig('postgresql://shop@/shop?host=%2Frun%2Fapp1')).toMatchObject({ host: '/run/app1', port: 5432 });
    expect(clientConfig('postgres://shop@[fd00::1]:6432/shop')).toMatchObject({ host: 'fd00::1', port: 6432 });
    expect(await passwordOf('postgresql://shop:p%3Aq@db/shop')).toBe('p:q');
  });

  it.each([
    ['mysql://shop@db/shop'],
    ['postgresql://shop@db'],
    ['postgresql://db/shop'],
    ['postgresql://shop:secret@db:port/shop'],
    ['postgresql://shop:secret@db/shop?sslmode=require'],
    ['postgresql://shop:secret@db/shop?target_session_attrs=primary'],
  ])('%s is refused, and not quoted', (uri) => {
    expect(() => clientConfig(uri)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
    expect(() => clientConfig(uri)).not.toThrow(/secret/);
  });
});

describe('a passfile', () => {
  const endpoint = { host: '::1', port: 1, database: 'a:b', user: 'c\\d' };

  it('has colons and backslashes escaped', () => {
    expect(passwordIn('\\:\\:1:1:a\\:b:c\\\\d:p\\:q\\\\r', endpoint)).toBe('p:q\\r');
  });

  it('is read line by line, with stars and comments', () => {
    expect(passwordIn('#*:*:*:*:no\n\n\\:\\:1:2:*:*:no\n*:1:*:*:yes\n*:*:*:*:late\n', endpoint)).toBe('yes');
    expect(passwordIn('', endpoint)).toBeNull();
  });
});
