import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ClientPasswords } from './client-passwords.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'understudy-passwords-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

it('makes a password once, for this user alone, and finds it again', () => {
  const first = new ClientPasswords(directory);
  const list = first.userlist(['shop', 'blog', 'shop']);
  expect(list).toMatch(/^"blog" "SCRAM-SHA-256\$4096:[^"]+"\n"shop" "SCRAM-SHA-256\$4096:[^"]+"\n$/);
  const again = new ClientPasswords(directory);
  expect(again.userlist(['shop', 'blog'])).toBe(list);
  const file = join(directory, 'apps', 'shop', 'password');
  expect(readFileSync(file, 'utf8')).toBe(`${again.of('shop')}\n`);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(list).not.toContain(again.of('shop'));
});

it('forgets an application that left', () => {
  const passwords = new ClientPasswords(directory);
  const former = passwords.of('shop');
  expect(passwords.applications()).toEqual(['shop']);
  passwords.forget('shop');
  expect(passwords.applications()).toEqual([]);
  expect(passwords.of('shop')).not.toBe(former);
});

it.each(['..', '.', 'a/b', '../../etc/cron.d/x', '', '-rf', 'a\nb'])('takes no file for %j', (name) => {
  expect(() => new ClientPasswords(directory).of(name)).toThrow(/no application can be called/);
});
