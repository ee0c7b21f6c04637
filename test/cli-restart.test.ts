/** `understudy restart`, as somebody types it: of the primary in whose place nobody else may be. */
import { beforeEach, expect, it } from 'vitest';
import type { NodeStatus } from '../src/core/status.ts';
import { cliSite } from './fixtures/cli-site.ts';

const site = cliSite();
const { cli } = site;
const pg0: NodeStatus = {
  ...{ node: 'pg0', role: 'database', address: '127.0.0.1', datacenter: null, priority: 100, failover: 'allowed' },
  ...{ reachable: 'yes', postgres: null, serverVersion: null, lagBytes: null, lagS: null, slot: null },
  ...{ pendingRestart: [], specRevision: 1, unconverged: [], agentVersion: null, trouble: null },
};

function cluster(...nodes: readonly NodeStatus[]): void {
  const { status } = site.world.backend;
  site.world.backend.status = () => ({ ...status(), primary: 'pg0', nodes });
}

beforeEach(() => cluster(pg0));

it('asks first, and says what it costs', async () => {
  const refused = await cli('restart', 'pg0', '--timeout', '0');
  expect(refused).toMatchObject({ exit: 2, err: expect.stringContaining('give --yes') });
  site.typed = 'no';
  expect(await cli('restart', 'pg0', '--timeout', '0')).toMatchObject({ exit: 3 });
  expect(site.world.backend.calls).toEqual([]);
  site.typed = 'yes';
  const { exit, out, err } = await cli('restart', 'pg0', '--timeout', '0');
  expect({ exit, said: out + err }).toMatchObject({ exit: 0, said: expect.stringContaining('writes wait at poolers') });
  expect(await cli('restart', 'pg0', '--timeout', '0', '--yes')).toMatchObject({ exit: 0 });
  const ordered = ['restart, and writes may fail', 'ernest'];
  expect(site.world.backend.calls).toEqual([ordered, ordered]);
});

it('asks nothing where another node may be primary: the agent says what to do first', async () => {
  cluster(pg0, { ...pg0, node: 'pg1' });
  expect(await cli('restart', 'pg0', '--timeout', '0')).toMatchObject({ exit: 0 });
  expect(site.world.backend.calls).toEqual([['restart', 'ernest']]);
});
