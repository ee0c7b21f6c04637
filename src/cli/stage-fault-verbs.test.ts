import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { runToEnd } from '../../test/fixtures/cli-run.ts';
import { exitCodes } from '../errors/exit-codes.ts';
import { enterFault, readFaults } from '../stage/fault-ledger.ts';
import { recordFile, type StageRecord, stageDirectory } from '../stage/record.ts';

let directory: string;
let record: StageRecord;

/** A stage of two hosts that hold the store, of which nothing runs. */
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'understudy-faults-'));
  const root = stageDirectory(directory);
  mkdirSync(root);
  record = {
    version: 1,
    cluster: 'stage',
    domain: 'stage.internal',
    root,
    run: root,
    network: '127.199.0',
    namespaces: false,
    diskMb: 512,
    user: { name: 'nobody', uid: 65_534, gid: 65_534 },
    storeMembers: ['db1', 'db2'],
    storeHosts: [],
    nodes: [
      { name: 'db1', role: 'database', address: '127.199.0.1' },
      { name: 'db2', role: 'database', address: '127.199.0.2' },
    ],
  };
  writeFileSync(recordFile(directory), JSON.stringify(record));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const fault = (...argv: readonly string[]) => runToEnd(['stage', 'fault', ...argv], { directory });

function storeIsDown(node: string): void {
  enterFault(record, { fault: 'kill', node, what: 'store', untilMs: null }, new Date());
}

test('a store that is stopped already is not stopped again', async () => {
  storeIsDown('db1');
  storeIsDown('db2');
  const { exit, err } = await fault('stop-store');
  expect({ exit, err }).toMatchObject({ exit: exitCodes.refused, err: expect.stringContaining('already: db1, db2') });
  expect(readFaults(record)).toHaveLength(2);
});

test('of a store whose members can not all be stopped none is struck', async () => {
  storeIsDown('db1');
  // No process of the other one is there to be ended.
  const { exit, err } = await fault('stop-store');
  expect({ exit, err }).toMatchObject({ exit: exitCodes.refused, err: expect.stringContaining('on db2 nothing') });
  expect(readFaults(record)).toHaveLength(1);
  expect((await fault('stop-store', '--member', '3')).exit).toBe(exitCodes.usage);
});

test('a fault that nobody would end in time is not left in force', async () => {
  // The keeper that would undo it can't be started: its log can't be opened.
  mkdirSync(join(record.root, 'keeper.log'));
  expect((await fault('fill', 'db1', '--for', '1s')).exit).toBe(exitCodes.failed);
  expect(readFaults(record)).toEqual([]);
});

test('a stage without a keeper says that no fault ends by itself', async () => {
  expect((await fault('list')).err).toBe(''); // of a stage that is down
  enterFault(record, { fault: 'fill', node: 'db1', untilMs: 1 }, new Date());
  const { exit, out, err } = await fault('list');
  expect({ exit, out }).toEqual({ exit: exitCodes.done, out: expect.stringContaining('its time is over') });
  expect(err).toMatch(/keeper has ended.*understudy stage up/);
  expect(JSON.parse((await fault('list', '--json')).err)).toEqual({ note: expect.stringContaining('keeper') });
});
