/** When is a simulated cluster as it should be? Seen from outside, with the store's word for who is primary. */
import { decodeRecord } from '../records/codecs.ts';
import { keys } from '../records/keys.ts';
import type { World } from './world.ts';

export function leaseHolder(world: World): string | null {
  const value = world.store.read(`/understudy/${world.spec.cluster}/${keys.lease}`);
  const decoded = value === null ? null : decodeRecord('lease', value);
  return decoded?.ok === true && decoded.value.state === 'held' ? decoded.value.holder : null;
}

/** `null`: full redundancy. `lost`: nodes that nobody waits for. */
export function whyNotHealthy(world: World, lost: ReadonlySet<string>): string | null {
  const holder = leaseHolder(world);
  if (holder === null) return 'nobody holds the lease';
  const primary = world.machines.get(holder)?.server;
  if (primary === undefined || lost.has(holder) || !primary.isWritable) return `${holder} is not writable`;
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
