/**
 * What may happen to a cluster, as orders that `understudy stage fault` takes too: each scenario strikes a stage of three
 * database nodes under load, and ends when its fault is healed. How well the cluster did is measured elsewhere (faults.ts).
 */
import { request } from 'node:https';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { combinedFiles, readCredentials } from '../src/pki/credential-files.ts';
import { readCommandLine } from '../src/process/identity.ts';
import type { FaultOrder } from '../src/stage/fault-words.ts';
import { healFaults, strikeFault } from '../src/stage/faults.ts';
import { stagePorts } from '../src/stage/network.ts';
import { stageProcesses } from '../src/stage/processes.ts';
import { nodeDirectory, type StageHost, type StageRecord, storeHosts } from '../src/stage/record.ts';
import { createLinuxClock } from '../src/timing/linux-clock.ts';
import type { StageUnderTest } from './stage-under-test.ts';
import { until } from './waiting.ts';

const clock = createLinuxClock();
const movedWithinMs = 60_000;
const operationWithinMs = 20_000;
const askWithinMs = 2_000;
/** Twice the lease's TTL: whoever is to take over has done so. */
const heldMs = 12_000;
/** Longer than anything that waits for a server to answer. */
const longMs = 20_000;
/** A probe's patience, the attempt to end the server, and a lease. */
const hungMs = 45_000;
const rewindWithinMs = 60_000;
const calmMs = 1_000;

export interface Scene {
  readonly stage: StageUnderTest;
  readonly primary: string;
  readonly standbys: readonly string[];
}

export interface Scenario {
  readonly name: string;
  play(scene: Scene): Promise<void>;
}

type Order = FaultOrder extends infer One ? (One extends FaultOrder ? Omit<One, 'forMs'> : never) : never;

async function strike({ stage }: Scene, order: Order): Promise<void> {
  await strikeFault(stage.record, stage.directory, { ...order, forMs: null }, clock);
}

async function heal({ stage }: Scene, node: string | null = null): Promise<void> {
  await healFaults(stage.record, node);
}

/** Strikes, lets it last, and heals. */
function lasting(name: string, ms: number, orders: (scene: Scene) => readonly Order[]): Scenario {
  return {
    name,
    async play(scene) {
      for (const order of orders(scene)) await strike(scene, order);
      await delay(ms);
      await heal(scene);
    },
  };
}

/** Over with the strike: what was killed is started again by the node itself. */
function momentary(name: string, order: (scene: Scene) => Order): Scenario {
  return { name, play: async (scene) => await strike(scene, order(scene)) };
}

const kill = (node: string, what: Extract<Order, { fault: 'kill' | 'freeze' }>['what']): Order => ({
  fault: 'kill',
  node,
  what,
});
const freeze = (node: string, what: Extract<Order, { fault: 'kill' | 'freeze' }>['what']): Order => ({
  fault: 'freeze',
  node,
  what,
});
const cut = (node: string, from: readonly string[], oneWay: 'in' | 'out' | null = null): Order => ({
  fault: 'partition',
  node,
  from,
  oneWay,
});
const [first, second] = [0, 1] as const;
const standby = ({ standbys }: Scene, index: 0 | 1): string => standbys[index] ?? '';

export const scenarios: readonly Scenario[] = [
  momentary('postmaster killed', ({ primary }) => kill(primary, 'postmaster')),
  lasting('host gone', heldMs, ({ primary }) => [kill(primary, 'all')]),
  lasting('postmaster frozen', longMs, ({ primary }) => [freeze(primary, 'postmaster')]),
  lasting('PostgreSQL frozen', longMs, ({ primary }) => [freeze(primary, 'postgres')]),
  lasting('host frozen', heldMs, ({ primary }) => [freeze(primary, 'all')]),
  lasting('agent frozen 60 s', 60_000, ({ primary }) => [freeze(primary, 'agent')]),
  lasting('agent dead', heldMs, ({ primary }) => [kill(primary, 'agent')]),
  lasting('agent dead for a moment', 500, ({ primary }) => [kill(primary, 'agent')]),
  momentary('fence killed', ({ primary }) => kill(primary, 'fence')),
  momentary('pgbouncer killed', () => kill('app1', 'pgbouncer')),
  lasting('primary cut from all', heldMs, ({ primary }) => [cut(primary, ['all'])]),
  lasting('one-way cut in', heldMs, ({ primary }) => [cut(primary, ['all'], 'in')]),
  lasting('one-way cut out', heldMs, ({ primary }) => [cut(primary, ['all'], 'out')]),
  lasting('cut from the store only', longMs, ({ primary }) => [cut(primary, ['store'])]),
  lasting('cut from peers only', longMs, ({ primary }) => [cut(primary, ['peers'])]),
  lasting('store gone 60 s', 60_000, ({ stage }) => stage.record.storeMembers.map((name) => kill(name, 'store'))),
  {
    name: 'store leader lost',
    async play(scene) {
      await strike(scene, kill(await storeLeader(scene.stage.record), 'all'));
      await delay(heldMs);
      await heal(scene);
    },
  },
  lasting('standby lost', heldMs, (scene) => [kill(standby(scene, first), 'all')]),
  lasting('both standbys lost', heldMs, (scene) => [
    kill(standby(scene, first), 'all'),
    kill(standby(scene, second), 'all'),
  ]),
  lasting('disk full on the primary', heldMs, ({ primary }) => [{ fault: 'fill', node: primary }]),
  lasting('disk full on a standby', heldMs, (scene) => [{ fault: 'fill', node: standby(scene, first) }]),
  lasting('disk of the primary hangs', hungMs, ({ primary }) => [{ fault: 'freeze-disk', node: primary }]),
  // Its clients still reach it, and it them: what it acknowledges until its fence strikes, nobody else has.
  lasting('old primary back after divergence', heldMs, ({ primary }) => [cut(primary, ['store', 'peers'])]),
  {
    name: 'rewind killed midway',
    async play(scene) {
      await strike(scene, cut(scene.primary, ['store', 'peers']));
      await delay(heldMs);
      await heal(scene);
      await until('the old primary is being rewound', rewindWithinMs, 2, async () => isRewinding(scene));
      await strike(scene, kill(scene.primary, 'all'));
      await delay(calmMs);
      await heal(scene);
    },
  },
  {
    name: "primary's host and a standby lost, the standby back first",
    async play(scene) {
      await strike(scene, kill(standby(scene, first), 'all'));
      await strike(scene, kill(scene.primary, 'all'));
      await delay(heldMs);
      await heal(scene, standby(scene, first));
      await moved(scene);
      await heal(scene);
    },
  },
  {
    name: 'the next primary lost as well',
    async play(scene) {
      await strike(scene, kill(scene.primary, 'all'));
      const next = await moved(scene);
      await strike(scene, kill(next, 'postmaster'));
      await delay(heldMs);
      await heal(scene);
    },
  },
  {
    name: 'switchover whose target is lost',
    async play(scene) {
      const target = standby(scene, first);
      const ended = scene.stage.cli('switchover', '--to', target, '--json');
      await until('the switchover is under way', operationWithinMs, 5, async () => {
        const status = await scene.stage.status().catch(() => null);
        const phase = status?.operation?.phase ?? 'finished';
        return phase !== 'finished' && phase !== 'undone';
      });
      await strike(scene, kill(target, 'all'));
      await ended;
      await delay(heldMs);
      await heal(scene);
    },
  },
];

function isRewinding({ stage, primary }: Scene): boolean {
  return stageProcesses(stage.record).some(({ node, pid }) => {
    return node === primary && basename(readCommandLine(pid)[0] ?? '') === 'pg_rewind';
  });
}

async function moved({ stage, primary }: Scene): Promise<string> {
  let now: string | null = null;
  await until('another node is primary', movedWithinMs, 50, async () => {
    const status = await stage.status().catch(() => null);
    now = status?.primary ?? null;
    return now !== null && now !== primary;
  });
  return now ?? '';
}

const memberStatus = z.object({ header: z.object({ member_id: z.string() }), leader: z.string() });

/** The host of etcd's leader, by its own words. */
async function storeLeader(record: StageRecord): Promise<string> {
  for (const host of storeHosts(record)) {
    const { header, leader } = await memberStatusOf(record, host);
    if (header.member_id === leader) return host.name;
  }
  throw new Error('no member of the store says that it leads');
}

async function memberStatusOf(record: StageRecord, host: StageHost): Promise<z.infer<typeof memberStatus>> {
  const tls = await readCredentials(combinedFiles(join(nodeDirectory(record, 'db1'), 'tls'), 'store'));
  const answer = new Promise<string>((resolve, reject) => {
    const options = {
      method: 'POST',
      host: host.address,
      port: stagePorts.storeClient,
      path: '/v3/maintenance/status',
      ca: tls.caPem,
      cert: tls.certificatePem,
      key: tls.keyPem,
      timeout: askWithinMs,
    };
    const asked = request(options, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => {
        text += part;
      });
      response.on('end', () => resolve(text));
    });
    asked.on('timeout', () => asked.destroy(new Error(`${host.name} did not answer`)));
    asked.on('error', reject);
    asked.end('{}');
  });
  const json: unknown = JSON.parse(await answer);
  return memberStatus.parse(json);
}
