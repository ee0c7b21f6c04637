import { mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
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
  expect(readFileSync(file, 'utf8')).toBe(`${again.of('shop', null).told.password}\n`);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(list).not.toContain(again.of('shop', null).told.password);
});

it('forgets an application that left', () => {
  const passwords = new ClientPasswords(directory);
  const former = passwords.of('shop', null).told.password;
  expect(passwords.applications()).toEqual(['shop']);
  passwords.forget('shop');
  expect(passwords.applications()).toEqual([]);
  expect(passwords.of('shop', null).told.password).not.toBe(former);
});

it.each(['..', '.', 'a/b', '../../etc/cron.d/x', '', '-rf', 'a\nb'])('takes no file for %j', (name) => {
  expect(() => new ClientPasswords(directory).of(name, null)).toThrow(/no application can be called/);
});

describe('another password', () => {
  it('is of the user that rests, and the one before stays good until the one after', () => {
    const passwords = new ClientPasswords(directory);
    const first = passwords.of('shop', null).told;
    expect(passwords.reach('shop', 1)).toBe(1);
    expect(passwords.formerUsers().size).toBe(0);
    expect(passwords.reach('shop', 2)).toBe(2);
    expect(passwords.of('shop', 2)).toMatchObject({ told: { user: 'shop.2' }, alsoGood: first });
    expect([...passwords.formerUsers()]).toEqual([['shop', 'shop']]);
    const second = passwords.of('shop', 2).told;
    expect(passwords.userlist(['shop']).match(/^"[^"]+"/gm)).toEqual(['"shop.2"', '"shop"']);
    expect(passwords.reach('shop', 3)).toBe(3);
    const { told, alsoGood } = passwords.of('shop', 3);
    expect(told.user).toBe('shop');
    expect(told.password).not.toBe(first.password);
    expect(alsoGood).toEqual(second);
  });

  it('is not made twice, is found again, and is told by nobody who does not know that the pooler has it', () => {
    const passwords = new ClientPasswords(directory);
    const first = passwords.of('shop', null).told;
    passwords.reach('shop', 2);
    const again = new ClientPasswords(directory);
    expect(again.reach('shop', 2)).toBe(2);
    expect(again.of('shop', 2)).toEqual(passwords.of('shop', 2));
    expect(again.of('shop', 1)).toEqual({ told: first, alsoGood: null });
    expect(again.of('shop', null)).toEqual({ told: first, alsoGood: null });
    expect(statSync(join(directory, 'apps', 'shop', 'password')).mode & 0o777).toBe(0o600);
  });

  it('is one change, of the user that rests, when several were ordered', () => {
    const passwords = new ClientPasswords(directory);
    const first = passwords.of('shop', null).told;
    for (const [asked, made, user] of [
      [4, 4, 'shop.2'],
      [6, 7, 'shop'],
    ] as const) {
      expect(passwords.reach('shop', asked)).toBe(made);
      expect(passwords.of('shop', made).told.user).toBe(user);
    }
    expect(new ClientPasswords(directory).of('shop', 7).alsoGood?.user).toBe('shop.2');
    expect(passwords.of('shop', 7).told.password).not.toBe(first.password);
  });

  it('is not made where it can not be kept, and that is told', () => {
    const passwords = new ClientPasswords(directory);
    const { told } = passwords.of('shop', null);
    const file = join(directory, 'apps', 'shop', 'password');
    // Neither a new file beside it nor the old one can be written, whoever asks.
    mkdirSync(`${file}.new`);
    rmSync(file);
    mkdirSync(file);
    expect(passwords.reach('shop', 2)).toBe(1);
    expect(passwords.trouble).toMatch(/^the next password of shop can't be kept: /);
    expect(passwords.of('shop', 2)).toEqual({ told, alsoGood: null });
    rmdirSync(file);
    rmdirSync(`${file}.new`);
    expect(passwords.reach('shop', 2)).toBe(2);
    expect(passwords.trouble).toBeNull();
  });
});
