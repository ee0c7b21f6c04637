import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { DialPrimary } from '../ports/repository.ts';
import { run } from '../process/run.ts';
import { openPrimarySocket, type PrimarySocket } from './primary-socket.ts';

let directory: string;
/** Answers what it is told. */
let primary: Server;
let dialled: Socket[];
let opened: PrimarySocket | null;
const at = (name: string) => join(directory, name);

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'understudy-primary-'));
  [dialled, opened] = [[], null];
  primary = createServer((socket) => void socket.pipe(socket));
  await new Promise<void>((resolve) => void primary.listen(at('primary-itself'), resolve));
});
afterEach(() => {
  opened?.close();
  for (const socket of dialled) socket.destroy();
  primary.close();
  rmSync(directory, { recursive: true, force: true });
});

async function dial() {
  const connection = connect(at('primary-itself'));
  dialled.push(connection);
  return { connection, dataDirectory: '/srv/data' };
}

const open = async (dialPrimary: DialPrimary = dial) => {
  opened = await openPrimarySocket({ directory }, at('passage.mjs'), { first: await dial(), dialPrimary });
  return opened;
};

/** What comes back of a word; empty: nothing, and it was closed. */
function say(word: string): Promise<string> {
  const socket = connect(at('primary/socket'));
  return new Promise((resolve) => {
    let heard = '';
    socket.on('data', (chunk) => {
      heard += chunk.toString();
      if (heard === word) resolve(heard);
    });
    socket.on('error', () => resolve(heard));
    socket.on('close', () => resolve(heard));
    socket.write(word);
  });
}

it('joins each connection to one of the primary, two at most, for the length of the backup', async () => {
  const socket = await open();
  expect(statSync(at('primary/socket')).mode & 0o777).toBe(0o600);
  expect(await say('one')).toBe('one');
  expect(await say('two')).toBe('two');
  expect(await say('three')).toBe('');
  expect(dialled).toHaveLength(2);
  // One that has ended makes room.
  const closed = new Promise((resolve) => dialled[0]?.once('close', resolve));
  dialled[0]?.destroy();
  await closed;
  await expect.poll(() => say('four')).toBe('four');
  expect(socket.failure).toBeNull();
  socket.close();
  await expect.poll(() => dialled.every(({ destroyed }) => destroyed)).toBe(true);
  expect(existsSync(at('primary'))).toBe(false);
});

it('remembers why the primary could not be reached', async () => {
  const socket = await open(() => Promise.reject(new UnderstudyError('REFUSED', 'it is of another version')));
  expect(await say('first')).toBe('first');
  expect(await say('word')).toBe('');
  expect(socket.failure?.message).toBe('it is of another version');
});

it('has pgBackRest start our own program, which takes no word of what it is told', async () => {
  writeFileSync(at('passage.mjs'), 'console.log(JSON.stringify(process.argv.slice(2)));');
  const { options } = await open();
  const command = options.find((option) => option.startsWith('--cmd-ssh='))?.slice('--cmd-ssh='.length) ?? '';
  expect(readFileSync(command, 'utf8')).not.toContain('$');
  const words = ['-o', 'LogLevel=error', 'pgbackrest@primary', 'rm -rf /'];
  const { stdout } = await run(command, words, { withinMs: 30_000 });
  expect(JSON.parse(stdout)).toEqual([at('primary/socket')]);
});

it('takes the place of what a killed one left', async () => {
  await open();
  await open();
  expect(await say('word')).toBe('word');
});
