import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Authority, createIssuing, createRoot, type Root } from './authority.ts';
import { revocationList } from './revocation-list.ts';
import { RevocationLists } from './revocation-lists.ts';

const nowMs = Date.now();
const validity = { cluster: 'psf', lifeMs: 400 * 86_400_000, nowMs };
const since = new Map([['4AFF', nowMs]]);

let root: Root;
let issuing: Authority;
let ofRoot: { readonly authority: string; readonly list: string };
let ofIssuing: { readonly authority: string; readonly list: string };
let directory: string;
let beside: string | null;

beforeAll(async () => {
  root = await createRoot(validity);
  issuing = await createIssuing(root, validity);
  ofRoot = { authority: root.certificatePem, list: await revocationList(root, [], nowMs) };
  const revoked = [{ serial: '4AFF', atMs: nowMs }];
  ofIssuing = { authority: issuing.certificatePem, list: await revocationList(issuing, revoked, nowMs) };
});
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'understudy-lists-'));
  beside = null;
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const open = (revoked: ReadonlyMap<string, number> = since) =>
  new RevocationLists({
    stateDirectory: directory,
    revoked: { since: revoked },
    rootsPem: () => root.certificatePem,
    besideRootsPem: () => beside,
    chainsPem: () => [issuing.certificatePem],
    nowMs: () => nowMs,
  });

describe('the file of lists', () => {
  it('is named once something is revoked, and has every list in it', () => {
    const lists = open();
    lists.learn([ofRoot, ofIssuing]);
    const file = lists.file() ?? '';
    expect([ofRoot, ofIssuing].every(({ list }) => readFileSync(file, 'utf8').includes(list))).toBe(true);
    expect(readFileSync(file, 'utf8').match(/BEGIN X509 CRL/g)).toHaveLength(2);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(open(new Map()).file()).toBe(null);
  });

  it('is written again by the next agent, without the store, when it is gone or damaged', () => {
    open().learn([ofRoot, ofIssuing]);
    const file = open().file() ?? '';
    const good = readFileSync(file, 'utf8');
    writeFileSync(file, good.slice(0, 100));
    expect(open().file()).toBe(file);
    expect(readFileSync(file, 'utf8')).toBe(good);
    rmSync(file);
    expect(open().file()).toBe(file);
    expect(existsSync(file)).toBe(true);
  });

  it('is not named while a list is missing, or where it can not be written, and says why', () => {
    const lists = open();
    lists.learn([ofIssuing]);
    expect([lists.file(), lists.trouble]).toEqual([null, expect.stringContaining('there is no list of')]);
    lists.learn([ofRoot, ofIssuing]);
    rmSync(directory, { recursive: true });
    expect([lists.file(), lists.trouble]).toEqual([null, expect.stringContaining('ENOENT')]);
  });

  it("takes the root's list from beside the root, too", () => {
    const lists = open();
    lists.learn([ofIssuing]);
    beside = `${ofIssuing.list}${ofRoot.list}`;
    expect(lists.file()).not.toBe(null);
    expect(lists.trouble).toBe(null);
  });
});
