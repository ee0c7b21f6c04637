/** When is a simulated cluster as it should be? Seen from outside, with the store's word for who is primary. */
import { decodeRecord } from '../../records/codecs.ts';
import { keys } from '../../records/keys.ts';
import type { World } from '../world/world.ts';

export function leaseHolder(world: World): string | null {
  const value = world.store.read(`/understudy/${world.spec.cluster}/${keys.lease}`);
  const decoded = value === null ? null : decodeRecord('lease', value);
  return decoded?.ok === true && decoded.value.state === 'held' ? decoded.value.holder : null;
}

function recordedStandbys(world: World): readonly string[] {
  const value = world.store.read(`/understudy/${world.spec.cluster}/${keys.durability}`);
  const decoded = value === null ? null : decodeRecord('durability', value);
  return decoded?.ok === true ? decoded.value.standbys : [];
}

/** Does only this node have for certain what it acknowledged? Then its loss is for a person to decide about. */
export function isIrreplaceable(world: World, node: string): boolean {
  return leaseHolder(world) === node && recordedStandbys(world).length === 0;
}

/**
 * Can the cluster do without this node, by what the store and the servers say now? One whose primary it is can when
 * all who could have acknowledged are there and stream from it.
 */
export function isDispensable(world: World, node: string): boolean {
  const holder = leaseHolder(world);
  const server = holder === null ? undefined : world.machines.get(holder)?.server;
  if (holder === null || server === undefined || !server.isWritable || !server.host.isAwake) return false;
  if (holder !== node) return true;
  const recorded = recordedStandbys(world);
  if (recorded.length === 0) return false;
  return recorded.every((name) => {
    const stream = server.process?.streams.get(name);
    // The other end may be gone, and this one not know it yet.
    return name !== node && stream !== undefined && world.machines.get(name)?.server.process?.receiver === stream;
  });
}

/** `null`: full redundancy. `lost`: nodes that nobody waits for. */
export function whyNotHealthy(world: World, lost: ReadonlySet<string>): string | null {
  const holder = leaseHolder(world);
  if (holder === null) return 'nobody holds the lease';
  const primary = world.machines.get(holder)?.server;
  if (primary === undefined || lost.has(holder) || !primary.isWritable) return `${holder} is not writable`;
  if (primary.process?.hasPostmaster !== true) return `the postmaster of ${holder} is gone`;
  for (const [name, { server }] of world.machines) {
    if (name === holder || lost.has(name)) continue;
    const stream = primary.process?.streams.get(name);
    if (stream === undefined || server.process?.receiver !== stream) return `${name} does not stream from ${holder}`;
    if (stream.flushed + 20 < primary.disk.end) return `${name} lags`;
  }
  const address = world.spec.nodes.find(({ name }) => name === holder)?.address;
  for (const [name, { pooler }] of world.apps) {
    if (!pooler.isRunning) return `the pooler of ${name} does not run`;
    if (pooler.isPaused) return `the pooler of ${name} is paused`;
    if (pooler.target !== address) return `the pooler of ${name} does not point at ${holder}`;
  }
  return null;
}

/** Has every standby all that the primary has? */
export function isLevel(world: World, lost: ReadonlySet<string>): boolean {
  const holder = leaseHolder(world);
  const primary = holder === null ? undefined : world.machines.get(holder)?.server;
  if (primary === undefined) return false;
  return [...(primary.process?.streams.values() ?? [])].every(
    (stream) => lost.has(stream.standby.node) || stream.flushed >= primary.disk.end,
  );
}
