/** Who the kernel would kill first: seen at a real server, started by a process with the score of the agent's unit. */
import { readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeAll, expect, it } from 'vitest';
import { findServer } from '../src/postgres/postmaster-file.ts';
import { processesIn } from '../src/process/identity.ts';
import { openTestCluster, startPrimary, type TestCluster } from './fixtures/postgres-cluster.ts';
import { leaveRoot } from './fixtures/postgres-user.ts';

const own = '/proc/self/oom_score_adj';
const before = readFileSync(own, 'latin1');
let isLowered = false;
let cluster: TestCluster | null = null;

beforeAll(() => {
  try {
    writeFileSync(own, '-600');
    isLowered = true;
  } catch {
    // only root may lower it
  }
  leaveRoot();
});

afterEach(() => {
  cluster?.close();
  writeFileSync(own, before);
});

it('the postmaster keeps the score of the agent, and every child of it is neutral', async (context) => {
  cluster = await openTestCluster({ nodes: ['db1'] });
  await startPrimary(cluster, 'db1', []);
  const { layout } = cluster.node('db1');
  const server = findServer(layout.data, layout.postmasterFile);
  if (server.alive !== 'postmaster') throw new Error('no server');
  const environment = readFileSync(`/proc/${server.postmaster.pid}/environ`, 'latin1').split('\0');
  expect(environment).toContain('PG_OOM_ADJUST_VALUE=0');
  if (!isLowered) return context.skip('only a privileged process may lower its score');
  const score = (pid: number): number => Number(readFileSync(`/proc/${pid}/oom_score_adj`, 'latin1'));
  const children = processesIn(layout.data).filter(({ pid }) => pid !== server.postmaster.pid);
  expect(score(server.postmaster.pid)).toBe(-600);
  expect(children.length).toBeGreaterThan(3);
  expect(children.map(({ pid }) => score(pid))).toEqual(children.map(() => 0));
}, 60_000);
