import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { burnLedger, enterFault, type NewFault, readFaults, strikeOut } from './fault-ledger.ts';
import { isHeldDown, isMomentary } from './fault-strikes.ts';
import type { StageRecord } from './record.ts';

let record: StageRecord;
const at = new Date('2026-11-21T09:00:00Z');
const cut: NewFault = { fault: 'partition', node: 'db1', from: ['db2'], oneWay: null, untilMs: null };

beforeEach(() => {
  const root = mkdtempSync(join(tmpdir(), 'understudy-ledger-'));
  record = {
    version: 1,
    cluster: 'stage',
    domain: 'stage.internal',
    root,
    run: root,
    network: '198.18.0',
    namespaces: true,
    diskMb: null,
    user: { name: 'nobody', uid: 65_534, gid: 65_534 },
    storeMembers: [],
    storeHosts: [],
    nodes: [{ name: 'db1', role: 'database', address: '198.18.0.1' }],
  };
});
afterEach(() => rmSync(record.root, { recursive: true, force: true }));

test('no ledger means no faults', () => {
  expect(readFaults(record)).toEqual([]);
});

test('faults are read oldest first, and one that is struck out is gone', () => {
  const faults = Array.from({ length: 11 }, () => enterFault(record, cut, at));
  expect(readFaults(record)).toEqual(faults);
  const [first] = faults;
  if (first !== undefined) strikeOut(record, first);
  expect(readFaults(record)).toEqual(faults.slice(1));
  burnLedger(record);
  expect(readFaults(record)).toEqual([]);
});

test('no two faults in force have one id, also after an older one was undone', () => {
  const [one, two] = [enterFault(record, cut, at), enterFault(record, cut, at)];
  strikeOut(record, one);
  const three = enterFault(record, cut, at);
  expect(three.id).not.toBe(two.id);
});

test('a file that is no fault is an error, not a stage without faults', () => {
  enterFault(record, cut, at);
  writeFileSync(join(record.root, 'faults', '9.json'), '{"fault":"flood"}');
  expect(() => readFaults(record)).toThrow();
});

test('what a node starts again by itself is killed once, everything else stays dead until it is healed', () => {
  const kill = (what: 'agent' | 'postmaster' | 'all', untilMs: number | null) =>
    enterFault(record, { fault: 'kill', node: 'db1', what, untilMs }, at);
  expect(isMomentary(kill('postmaster', null))).toBe(true);
  expect(isMomentary(kill('postmaster', 5_000))).toBe(false);
  expect(isMomentary(kill('agent', null))).toBe(false);
  burnLedger(record);
  const agentDead = [kill('agent', null)];
  expect(isHeldDown(agentDead, 'db1', 'agent')).toBe(true);
  expect(isHeldDown(agentDead, 'db1', 'store')).toBe(false);
  expect(isHeldDown(agentDead, 'db2', 'agent')).toBe(false);
  expect(isHeldDown([kill('all', null)], 'db1', 'store')).toBe(true);
  expect(isHeldDown([kill('all', null)], 'db1', 'namespace')).toBe(false);
});
