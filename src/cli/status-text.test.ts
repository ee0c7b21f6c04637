import { describe, expect, it } from 'vitest';
import { exampleReceipt } from '../../test/fixtures/fake-backend.ts';
import type { Operation } from '../core/operation.ts';
import type { Receipt } from '../core/receipt.ts';
import type { ClusterStatus, NodeStatus } from '../core/status.ts';
import { receiptLines } from './receipt-text.ts';
import { statusLines } from './status-text.ts';
import { paintsFor, plain } from './terminal.ts';

const primary: NodeStatus = {
  node: 'pg0',
  role: 'database',
  address: '10.0.1.10',
  datacenter: null,
  priority: 100,
  failover: 'allowed',
  reachable: 'yes',
  postgres: { state: 'primary', timeline: 4, lsn: '0/3000100' },
  serverVersion: '17.2',
  lagBytes: null,
  lagS: null,
  slot: null,
  pendingRestart: [{ name: 'max_connections', current: '100', wanted: '200' }],
  specRevision: 3,
  unconverged: [],
  agentVersion: '0.1.0',
  trouble: null,
};

const standby: NodeStatus = {
  ...primary,
  node: 'pg10',
  postgres: {
    state: 'standby',
    timeline: 4,
    receivedLsn: null,
    replayedLsn: '0/3000000',
    streamingFrom: 'pg0',
    lagS: 0.4,
  },
  lagBytes: 256,
  lagS: 0.4,
  slot: { name: 'understudy_pg10', active: true, walStatus: 'reserved', heldBytes: 256 },
  pendingRestart: [],
};

const receipt: Receipt = {
  ...exampleReceipt,
  from: 'pg10',
  to: 'pg0',
  termBefore: 7,
  termAfter: 8,
  timelineBefore: 3,
  timelineAfter: 4,
  without: ['web3'],
  applications: [{ name: 'pydotorg', delayed: 31, worstMs: 119, failed: 0 }],
  undo: 'understudy switchover --to pg10',
};

const healthy: ClusterStatus = {
  cluster: 'psf',
  verdict: 'HEALTHY',
  because: [],
  from: 'pg0',
  term: 8,
  timeline: 4,
  primary: 'pg0',
  specRevision: 3,
  storeAgeMs: 12,
  nodes: [primary, standby],
  poolers: [],
  operation: null,
  handsOff: null,
  readOnly: null,
  lastReceipt: 'R-0142',
};

const nowMs = Date.parse('2026-11-22T14:00:00Z');
const shown = (status: ClusterStatus, last: Receipt | null = null) =>
  statusLines({ status, receipt: last, nowMs, paint: plain });

describe('the status', () => {
  it('has the verdict first, then the nodes, the last switchover, and what is left to do', () => {
    expect(shown(healthy, receipt)).toMatchInlineSnapshot(`
      [
        "psf HEALTHY  term 8  timeline 4  spec 3",
        "pg0   primary  TL 4                    restart pending",
        "pg10  standby  TL 4  lag 256 B, 0.4 s  slot active",
        "last switchover R-0142 3 d ago: pg10 -> pg0, writes waited 121 ms",
        "TODO: max_connections 100 -> 200 waits for a restart of pg0 (the next switchover)",
      ]
    `);
  });

  it('shows what is not known as not known', () => {
    const unheard: NodeStatus = { ...standby, reachable: 'unknown', postgres: null, slot: null };
    const blind = { ...standby, node: 'pg2', reachable: 'no', lagBytes: null, lagS: null } as const;
    const lines = shown({
      ...healthy,
      verdict: 'DEGRADED',
      because: ['why'],
      nodes: [unheard, blind],
      storeAgeMs: null,
    });
    expect(lines.slice(0, 4)).toEqual([
      'psf DEGRADED  term 8  timeline 4  spec 3  as pg0 knows it without the store',
      '  ! why',
      'pg10  unknown                    agent not heard yet',
      'pg2   standby  TL 4  lag ?, ? s  agent silent, slot active',
    ]);
  });

  it('shows a silent node as what it was', () => {
    const silent: NodeStatus = { ...primary, reachable: 'no', lastSeenAs: 'primary', pendingRestart: [] };
    const lost: NodeStatus = { ...standby, reachable: 'no', lastSeenAs: 'standby', slot: null };
    const next: NodeStatus = { ...primary, node: 'pg11', pendingRestart: [] };
    const lines = shown({ ...healthy, primary: 'pg11', nodes: [silent, { ...lost, node: 'pg10' }, next] });
    expect(lines.slice(1, 4)).toEqual([
      'pg0   was primary  TL 4    agent silent',
      'pg10  was standby  TL 4    agent silent, from pg0',
      'pg11  primary      TL 4',
    ]);
  });

  it('shows a witness, and that it is silent', () => {
    const witness: NodeStatus = { ...standby, node: 'mon0', role: 'witness', postgres: null, slot: null };
    const lines = shown({ ...healthy, nodes: [primary, witness, { ...witness, node: 'mon1', reachable: 'no' }] });
    expect(lines.slice(2, 4)).toEqual(['mon0  witness', 'mon1  witness          agent silent']);
  });

  it('says how far a clone is, and what is under way', () => {
    const cloning: NodeStatus = { ...standby, postgres: { state: 'cloning', bytesDone: 512, bytesTotal: 2048 } };
    const { phases: _, ...moved } = receipt;
    const operation: Operation = {
      id: moved.id,
      kind: 'switchover',
      from: 'pg0',
      to: 'pg10',
      term: 8,
      poolers: [],
      without: [],
      forceAfterMs: null,
      paceMs: 0,
      drainTimeoutMs: 1,
      stopTimeoutMs: 1,
      promoteTimeoutMs: 1,
      startedAt: moved.startedAt,
      requestedBy: 'ernest',
      phase: 'pausing',
      timings: [],
    };
    const lines = shown({ ...healthy, nodes: [cloning], operation });
    expect(lines).toContain('pg10  cloning 25 % of 2.0 kB      slot active');
    expect(lines).toContain('switchover R-0142 from pg0 to pg10 is under way: pausing');
  });
});

describe('a receipt', () => {
  it('tells what applications felt, where the WAL ended, and how to undo it', () => {
    expect(receiptLines(receipt, plain)).toMatchInlineSnapshot(`
      [
        "R-0142  switchover pg10 -> pg0  2026-11-19T14:00:00Z, asked by ernest",
        "✓ stop 61 ms",
        "pg0 is primary, term 8. Writes waited 121 ms.",
        "          delayed  worst   failed",
        "pydotorg  31       119 ms  0",
        "pg10 stopped at 0/3000028 (term 7, timeline 3); pg0 replayed all of it before term 8, timeline 4.",
        "pooler web0: drained in 14 ms, paused 121 ms",
        "left out on request: web3",
        "Undo: understudy switchover --to pg10",
      ]
    `);
  });

  it('says that it was undone, why, and who is primary', () => {
    const undone = {
      ...receipt,
      outcome: 'undone',
      undoReason: 'drain-timeout',
      detail: 'web0 waits',
      undo: null,
    } as const;
    const lines = receiptLines(undone, plain).join('\n');
    expect(lines).toContain('undone (drain-timeout): web0 waits. pg10 is primary, term 8.');
    expect(lines).not.toContain('Undo:');
  });
});

describe('colours', () => {
  const terminal = { write: () => true, isTTY: true };
  const isColoured = (output: { isTTY?: boolean }, env: Record<string, string>) =>
    paintsFor({ write: () => true, ...output }, env)('red', 'x') !== 'x';

  it('are shown on a terminal only, and as the environment says', () => {
    expect(isColoured(terminal, {})).toBe(true);
    expect(isColoured({}, {})).toBe(false);
    expect(isColoured(terminal, { NO_COLOR: '1' })).toBe(false);
    expect(isColoured(terminal, { NO_COLOR: '' })).toBe(true);
    expect(isColoured(terminal, { TERM: 'dumb' })).toBe(false);
    expect(isColoured({}, { FORCE_COLOR: '1' })).toBe(true);
  });
});
