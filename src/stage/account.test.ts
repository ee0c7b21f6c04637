import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { stageRoot } from './account.ts';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'understudy-account-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

it('keeps the files beside the record, save where a program would read the path as something else', () => {
  const { uid, gid, username: name } = userInfo();
  const rootIn = (part: string) => {
    mkdirSync(join(directory, part));
    return stageRoot(join(directory, part), { name, uid, gid });
  };
  for (const part of ['plain', 'with space', 'größer', "it's", '"quoted"', '$HOME'])
    expect(rootIn(part)).toBe(join(directory, part, '.understudy'));
  for (const part of ['100%', '#1', 'what?', 'a,b', 'c:d', 'back\\slash', 'two\nlines'])
    expect(rootIn(part)).toMatch(/^\/var\/tmp\/understudy-stage-[0-9a-f]{10}$/);
});
