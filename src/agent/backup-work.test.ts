import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { backupOf } from '../../test/fixtures/backups.ts';
import { MemoryMirror } from '../../test/fixtures/memory-mirror.ts';
import { stubRepository } from '../../test/fixtures/stub-repository.ts';
import { timerClock } from '../../test/fixtures/timer-clock.ts';
import { held, released } from '../../test/fixtures/view.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Repository } from '../ports/repository.ts';
import { makeBackup } from './backup-work.ts';
import type { PrimaryAgent } from './standby-passage.ts';

const made = backupOf('20261122-023000F', 'full', '2026-11-22T02:30:00Z');

let mirror: MemoryMirror;
let done: string[];
let isSilent: boolean;
let refusal: UnderstudyError | null;
let connections: PassThrough[];
let finish: () => void;

beforeEach(() => {
  vi.useFakeTimers();
  mirror = new MemoryMirror({ lease: held('db1') });
  [done, isSilent, refusal, connections] = [[], false, null, []];
});
afterEach(() => void vi.useRealTimers());

const agent: PrimaryAgent = {
  checkpoint: async () => void done.push('checkpoint on db1'),
  hear: () =>
    isSilent ? Promise.reject(new UnderstudyError('AGENT_UNREACHABLE', 'nobody answers')) : Promise.resolve(),
  async dial(version) {
    done.push(`dial ${version}`);
    if (refusal !== null) throw refusal;
    const connection = new PassThrough();
    connections.push(connection);
    return { connection, dataDirectory: '/srv/data' };
  },
};

/** Its backup dials the primary, if it can, and ends when the test says so. */
const repository: Repository = stubRepository({
  program: async () => ({ path: '/usr/bin/pgbackrest', version: '2.45' }),
  createStanza: async () => void done.push('stanza'),
  expire: async () => [],
  async backup(_, __, { dialPrimary, signal }) {
    done.push('backup');
    await dialPrimary?.();
    return await new Promise((resolve, reject) => {
      finish = () => resolve(made);
      signal?.addEventListener('abort', () => reject(new UnderstudyError('PROCESS_FAILED', 'it was cancelled')));
    });
  },
});

function begin(self: string): Promise<string> {
  const parts = {
    ...{ self, mirror, clock: timerClock, agentOf: () => agent },
    postgres: { checkpoint: async () => void done.push(`checkpoint on ${self}`) },
  };
  const bounds = { signal: new AbortController().signal, withinMs: 3_600_000 };
  return makeBackup(parts, repository, 'full', () => undefined, bounds).catch(String);
}

it('is made by the primary itself', async () => {
  const outcome = begin('db1');
  await vi.advanceTimersByTimeAsync(1_000);
  finish();
  expect(await outcome).toBe(made.label);
  expect(done).toEqual(['checkpoint on db1', 'stanza', 'backup']);
});

it('is made by a standby with the primary, which is left as soon as it has ended', async () => {
  const outcome = begin('db2');
  await vi.advanceTimersByTimeAsync(3_600_000);
  expect(connections.map(({ destroyed }) => destroyed)).toEqual([false]);
  finish();
  expect(await outcome).toBe(made.label);
  expect(done).toEqual(['checkpoint on db1', 'backup', 'dial 2.45']);
  expect(connections.map(({ destroyed }) => destroyed)).toEqual([true]);
});

const becomes = (lease: MemoryMirror['image']['lease']) => () => {
  mirror.image = { ...mirror.image, lease };
};

const starts =
  (sequence: number, node = 'db1') =>
  () => {
    const at = '2026-11-22T02:30:00.000Z';
    const event = { sequence, at, node, name: 'agent.started', facts: { node, version: '0.1.0' } } as const;
    mirror.image = { ...mirror.image, events: [...mirror.image.events, event] };
  };

it.each<[string, () => void, string]>([
  ['another node is primary', becomes(held('db2')), 'db1 is primary no more'],
  ['there is no primary', becomes(released('db1', null)), 'db1 is primary no more'],
  ['its agent was started anew', starts(8), 'the agent of db1 was started anew'],
  [
    'its agent is silent',
    () => {
      isSilent = true;
    },
    'the agent of db1 has not answered for 20 s',
  ],
])('fails on a standby, and leaves the primary, when %s', async (_, happens, because) => {
  const outcome = begin('db2');
  await vi.advanceTimersByTimeAsync(5_000);
  happens();
  await vi.advanceTimersByTimeAsync(25_000);
  expect(await outcome).toContain(because);
  expect(connections.map(({ destroyed }) => destroyed)).toEqual([true]);
});

it('goes on while the agent of the primary is silent for a moment', async () => {
  starts(7)();
  const outcome = begin('db2');
  await vi.advanceTimersByTimeAsync(1_000);
  starts(8, 'db3')();
  for (const silent of [true, false, true, false]) {
    isSilent = silent;
    await vi.advanceTimersByTimeAsync(15_000);
  }
  finish();
  expect(await outcome).toBe(made.label);
});

it('fails in the words of the primary that refuses, and where there is none', async () => {
  refusal = new UnderstudyError('REFUSED', 'pgBackRest is 2.55 on db2 and 2.45 on db1');
  expect(await begin('db2')).toContain('pgBackRest is 2.55 on db2 and 2.45 on db1');
  mirror.image = { ...mirror.image, lease: null };
  expect(await begin('db2')).toContain('there is no primary now');
});
