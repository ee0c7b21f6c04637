/**
 * The network between a stage's namespaces: every host has one veth to the hub, a namespace that routes between them.
 *
 * Invariant: in the caller's own namespace there is one interface and one route (198.18.B.0/24 through it), by which the
 * command line and applications under test reach the hosts; nothing else of it is read or changed. Faults are rules of the
 * hub: a packet that meets one is dropped there without a word to its sender, as by a cable that was cut.
 * Takes only what iproute2 and the kernel's routing policy have: neither a bridge nor a firewall is needed.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { resolve } from 'node:path';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';
import { run } from '../process/run.ts';
import { mark } from './account.ts';
import { holderPid, runInside, toolEnvironment } from './holders.ts';
import { hub, outside, type StageHost, type StageRecord, stageHosts } from './record.ts';

/** RFC 2544 keeps 198.18.0.0/15 for tests of networks: no host of the Internet has such an address. */
const attempts = 512;
const goneWithinMs = 5_000;
const pollMs = 20;
const commandWithinMs = 10_000;

/** A /24 that no interface of this machine uses; derived from the directory, so that a stage keeps its addresses. */
export function chooseRoutedNetwork(directory: string): string {
  const used = Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => address));
  const hash = createHash('sha256').update(resolve(directory)).digest().readUInt16BE(0);
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const index = (hash + attempt) % attempts;
    const network = `198.${18 + Math.floor(index / 256)}.${index % 256}`;
    if (!used.some((address) => address.startsWith(`${network}.`))) return network;
  }
  throw new UnderstudyError('PORT_IN_USE', `no free network in 198.18.0.0/15`);
}

const gateway = (record: StageRecord): string => `${record.network}.254`;
const outsideInterface = (record: StageRecord): string => `us${mark(record.root)}`;
const hubInterface = ({ address }: StageHost): string => `n${address.split('.').at(-1)}`;

/** `fresh`: places whose namespaces are new, and so have no interface yet. May be called again. */
export async function wire(record: StageRecord, fresh: readonly string[]): Promise<void> {
  if (!record.namespaces) return;
  if (fresh.includes(hub)) await wireHub(record);
  for (const host of stageHosts(record)) {
    if (fresh.includes(hub) || fresh.includes(host.name)) await wireHost(record, host);
  }
}

async function wireHub(record: StageRecord): Promise<void> {
  // A rule that drops one direction must not make the other one look as if it came by a wrong way.
  for (const name of ['conf/all/rp_filter', 'conf/default/rp_filter'])
    await runInside(record, hub, ['tee', `/proc/sys/net/ipv4/${name}`], { input: '0' });
  await runInside(record, hub, ['tee', '/proc/sys/net/ipv4/ip_forward'], { input: '1' });
  const ours = outsideInterface(record);
  await removeOutside(record);
  await ip(record, hub, [
    'link set lo up',
    `link add uplink type veth peer name ${ours} netns ${process.pid}`,
    `addr replace ${gateway(record)}/32 dev uplink`,
    'link set uplink up',
    `route replace ${outside(record)}/32 dev uplink`,
  ]);
  const lines = [
    `addr replace ${outside(record)}/32 dev ${ours}`,
    `link set ${ours} up`,
    `route replace ${record.network}.0/24 via ${gateway(record)} dev ${ours} onlink src ${outside(record)}`,
  ];
  await run('ip', ['-batch', '-'], { withinMs: commandWithinMs, env: toolEnvironment, input: lines.join('\n') });
}

async function wireHost(record: StageRecord, host: StageHost): Promise<void> {
  const link = hubInterface(host);
  // Left by a namespace that went a moment ago.
  await runInside(record, hub, ['ip', 'link', 'del', link], { anyExit: true });
  await ip(record, hub, [
    `link add ${link} type veth peer name eth0 netns ${holderPid(record, host.name)}`,
    `addr replace ${gateway(record)}/32 dev ${link}`,
    `link set ${link} up`,
    `route replace ${host.address}/32 dev ${link}`,
  ]);
  await ip(record, host.name, [
    'link set lo up',
    `addr replace ${host.address}/32 dev eth0`,
    'link set eth0 up',
    `route replace ${gateway(record)}/32 dev eth0`,
    `route replace default via ${gateway(record)} src ${host.address}`,
  ]);
}

async function ip(record: StageRecord, place: string, lines: readonly string[]): Promise<void> {
  await runInside(record, place, ['ip', '-batch', '-'], { input: lines.join('\n') });
}

/** After the last process has ended: the kernel takes the interfaces away, a moment later. Throws STAGE_FAILED. */
export async function untilUnwired(record: StageRecord, clock: Clock): Promise<void> {
  if (!record.namespaces) return;
  const isThere = () => existsSync(`/sys/class/net/${outsideInterface(record)}`);
  const until = clock.boottimeMs() + goneWithinMs;
  while (isThere()) {
    if (clock.boottimeMs() > until) {
      await removeOutside(record);
      if (!isThere()) return;
      throw new UnderstudyError('STAGE_FAILED', `the interface ${outsideInterface(record)} did not go`);
    }
    await clock.sleep(pollMs);
  }
}

async function removeOutside(record: StageRecord): Promise<void> {
  if (!existsSync(`/sys/class/net/${outsideInterface(record)}`)) return;
  const options = { withinMs: commandWithinMs, env: toolEnvironment, anyExit: true };
  await run('ip', ['link', 'del', outsideInterface(record)], options);
}

/** Packets from here to there; a side that is left out means everybody. */
export interface Way {
  readonly from?: string;
  readonly to?: string;
}

/** From now on the hub drops what goes these ways. `preference` names the rules: see `openWays`. */
export async function closeWays(record: StageRecord, preference: number, ways: readonly Way[]): Promise<void> {
  await ip(
    record,
    hub,
    ways.map(({ from, to }) => `rule add pref ${preference} from ${from ?? 'all'} to ${to ?? 'all'} blackhole`),
  );
}

export async function openWays(record: StageRecord, preference: number): Promise<void> {
  await runInside(record, hub, ['ip', 'rule', 'flush', 'pref', String(preference)], { anyExit: true });
}
