import { describe, expect, it } from 'vitest';
import type { TopologyMessage } from '../api/contract/app-nodes.ts';
import type { WantedFiles } from '../ports/application-files.ts';
import type { Clock } from '../ports/clock.ts';
import { ApplicationFilesUpkeep } from './app-node-files.ts';
import type { DatabaseAgent } from './app-node-ports.ts';
import { TopologyStreams } from './app-node-streams.ts';

const wanted: WantedFiles = {
  listenAddress: '127.0.0.1',
  port: 6432,
  applications: [],
  databaseNodes: [],
  clientPasswords: {},
};

function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function handClock(): Clock & { nowMs: number } {
  return {
    nowMs: 0,
    boottimeMs() {
      return this.nowMs;
    },
    wallClock: () => new Date(0),
    sleep: (_ms, signal) =>
      new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(new Error('aborted')))),
  };
}

describe('the upkeep of files', () => {
  function scene() {
    const clock = handClock();
    const calls: string[] = [];
    let trouble: string | null = null;
    const told: (string | null)[] = [];
    const files = {
      keep: async (wish: WantedFiles) => {
        calls.push(`keep ${wish.port}`);
        return trouble;
      },
      leave: async () => {
        calls.push('leave');
        return trouble;
      },
    };
    const upkeep = new ApplicationFilesUpkeep(files, clock, () => told.push(upkeep.trouble));
    return {
      clock,
      calls,
      told,
      upkeep,
      fail: (because: string | null) => {
        trouble = because;
      },
    };
  }

  it('writes when something is wanted, again when that changes, and otherwise now and then', async () => {
    const { calls, clock, upkeep } = scene();
    upkeep.tend('none');
    upkeep.tend(wanted);
    upkeep.tend({ ...wanted, port: 7000 });
    expect(calls).toEqual(['keep 6432']);
    await settled();
    upkeep.tend({ ...wanted, port: 7000 });
    await settled();
    upkeep.tend({ ...wanted, port: 7000 });
    expect(calls).toEqual(['keep 6432', 'keep 7000']);
    clock.nowMs = 30_000;
    upkeep.tend({ ...wanted, port: 7000 });
    await settled();
    upkeep.tend('leave');
    expect(calls.slice(2)).toEqual(['keep 7000', 'leave']);
  });

  it('tells trouble once, tries again sooner, and tells when it is over', async () => {
    const { calls, clock, fail, told, upkeep } = scene();
    fail('there is no user www');
    upkeep.tend(wanted);
    await settled();
    clock.nowMs = 5_000;
    upkeep.tend(wanted);
    await settled();
    fail(null);
    clock.nowMs = 10_000;
    upkeep.tend(wanted);
    await settled();
    expect(calls).toHaveLength(3);
    expect(told).toEqual(['there is no user www', null]);
  });
});

describe('a node is expelled', () => {
  const agents: readonly DatabaseAgent[] = ['db1', 'db2', 'db3'].map((node) => ({
    node,
    address: '127.0.0.1',
    hostName: `${node}.test.internal`,
  }));
  const message: TopologyMessage = {
    topology: {
      version: 1,
      cluster: 'test',
      from: 'db3',
      term: 1,
      primary: null,
      standbys: [],
      pause: null,
      readOnly: false,
      ended: null,
      ageMs: 1,
    },
  };

  it('by more than half of the agents, while none of them serves it', () => {
    const breaks = new Map<string, (because: string, isStranger: boolean) => void>();
    const hears = new Map<string, (message: TopologyMessage) => void>();
    const streams = new TopologyStreams(
      {
        follow: (agent, onMessage, onBreak) => {
          breaks.set(agent.node, onBreak);
          hears.set(agent.node, onMessage);
        },
      },
      handClock(),
      () => undefined,
    );
    streams.follow(agents);
    breaks.get('db2')?.('unreachable', false);
    breaks.get('db1')?.('no node of test', true);
    expect(streams.isExpelled).toBe(false);
    hears.get('db3')?.(message);
    breaks.get('db2')?.('no node of test', true);
    expect(streams.isExpelled).toBe(false);
    streams.stop();
  });

  it('unless it is served again', () => {
    const breaks: ((because: string, isStranger: boolean) => void)[] = [];
    const streams = new TopologyStreams(
      { follow: (_agent, _onMessage, onBreak) => breaks.push(onBreak) },
      handClock(),
      () => undefined,
    );
    streams.follow(agents);
    for (const broke of breaks.slice(0, 2)) broke('no node of test', true);
    expect(streams.isExpelled).toBe(true);
    streams.stop();
    expect(streams.isExpelled).toBe(false);
  });
});
