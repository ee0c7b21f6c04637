import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { noPoolerMemory } from '../core/rules/pooler-memory.ts';
import { openAppNodeJournal } from './app-node-journal.ts';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'us-journal-'));
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

const open = () => openAppNodeJournal(join(directory, 'app-node.json'), join(directory, 'spare.json'));
const ofTerm = (term: number) => ({ memory: { ...noPoolerMemory, term }, gate: { state: 'open' } as const });

/** No file of that name can be made, also by root. */
const block = (name: string) => mkdirSync(join(directory, `${name}.new`));
const unblock = (name: string) => rmSync(join(directory, `${name}.new`), { recursive: true });

it('is read by the next agent, wherever it could be written last', () => {
  expect(open().read()).toBeNull();
  open().write(ofTerm(1));
  expect(open().read()?.memory.term).toBe(1);
  block('app-node.json');
  open().write(ofTerm(2));
  expect(open().read()?.memory.term).toBe(2);
  unblock('app-node.json');
  open().write(ofTerm(3));
  expect(open().read()?.memory.term).toBe(3);
});

it('says so when it can be written nowhere, and keeps what it has', () => {
  open().write(ofTerm(1));
  block('app-node.json');
  block('spare.json');
  expect(() => open().write(ofTerm(2))).toThrow('app-node.json');
  expect(open().read()?.memory.term).toBe(1);
});
