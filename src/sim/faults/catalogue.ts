/**
 * Everything that can go wrong in a simulated world: one entry a kind, with what undoes it.
 *
 * Invariant: what a fault takes away, its undoing gives back, also when several overlap; a host that was switched off
 * comes up, an agent that was killed is started again. Nothing here knows what the agents make of it.
 */

import { keys } from '../../records/keys.ts';
import type { AppMachine } from '../world/app-machine.ts';
import type { DatabaseMachine } from '../world/database-machine.ts';
import type { World } from '../world/world.ts';

interface DatabaseFault {
  readonly on: 'database';
  readonly what: string;
  begin(machine: DatabaseMachine, world: World, other: DatabaseMachine | undefined): () => void;
}

interface AppFault {
  readonly on: 'app';
  readonly what: string;
  begin(machine: AppMachine, world: World, other: DatabaseMachine | undefined): () => void;
}

type Fault = DatabaseFault | AppFault;

const nothing = (): void => undefined;

function onDatabase(what: string, begin: DatabaseFault['begin']): DatabaseFault {
  return { on: 'database', what, begin };
}

function onApp(what: string, begin: AppFault['begin']): AppFault {
  return { on: 'app', what, begin };
}

/** Runs each of them. */
function all(undo: readonly (() => void)[]): () => void {
  return () => {
    for (const run of undo) run();
  };
}

function peersOf(machine: DatabaseMachine, world: World): readonly string[] {
  return [...world.machines.keys(), ...world.apps.keys()].filter((name) => name !== machine.name);
}

function cutStore(machine: DatabaseMachine): () => void {
  machine.storeFaults.unreachable = true;
  return () => {
    machine.storeFaults.unreachable = false;
  };
}

/** Every process of the node, the fence too. */
function freezeAll(machine: DatabaseMachine): () => void {
  const process = machine.agent?.process;
  process?.freeze();
  machine.fence.freeze();
  const thaw = machine.server.freeze('all');
  return () => {
    thaw();
    machine.fence.thaw();
    process?.thaw();
  };
}

function lateKey(machine: DatabaseMachine, key: string, byMs: number): () => void {
  machine.storeFaults.lateKey = key;
  machine.storeFaults.lateByMs = byMs;
  return () => {
    machine.storeFaults.lateKey = null;
  };
}

function failNext(what: 'promote' | 'clone' | 'rewind' | 'stop') {
  return (machine: DatabaseMachine): (() => void) => {
    machine.server.failing[what] = 2;
    return () => {
      machine.server.failing[what] = 0;
    };
  };
}

const table = {
  'agent-killed': onDatabase('the agent is killed and started again', (machine) => {
    if (!machine.fence.isFrozen) machine.killAgent();
    return nothing;
  }),
  'agent-dead': onDatabase('the agent is killed and stays away', (machine) => {
    if (machine.fence.isFrozen) return nothing;
    machine.isSupervised = false;
    machine.agent?.process.kill();
    return () => {
      machine.isSupervised = true;
      machine.startAgent();
    };
  }),
  'agent-frozen': onDatabase('the agent is stopped by a signal', (machine) => {
    // Nor is anything promised when neither agent nor fence can act, and PostgreSQL can.
    if (machine.fence.isFrozen) return nothing;
    const process = machine.agent?.process;
    process?.freeze();
    return () => process?.thaw();
  }),
  'postmaster-killed': onDatabase('the postmaster is killed, its backends go on', (machine) => {
    machine.server.killPostmaster();
    return nothing;
  }),
  'postmaster-killed-alone': onDatabase(
    'the postmaster is killed, its backends go on for minutes',
    (machine, world) => {
      machine.server.killPostmaster(world.random.between(180_000, 300_000));
      return nothing;
    },
  ),
  'server-killed': onDatabase('every process of PostgreSQL is killed', (machine) => {
    machine.server.kill();
    return nothing;
  }),
  'postmaster-frozen': onDatabase('the postmaster is stopped by a signal', (machine) => {
    return machine.server.freeze('postmaster');
  }),
  'server-frozen': onDatabase('every process of PostgreSQL is stopped by a signal', (machine) => {
    return machine.server.freeze('all');
  }),
  'node-frozen': onDatabase('agent, fence and PostgreSQL are stopped by a signal', freezeAll),
  'host-crashed': onDatabase('power off, and on again', (machine) => {
    machine.powerOff();
    return () => machine.powerOn();
  }),
  'host-suspended': onDatabase('the virtual machine is suspended', (machine) => {
    machine.host.suspend();
    return () => machine.host.resume();
  }),
  'fence-killed': onDatabase('the fence is killed, and its agent begins another', (machine) => {
    // Without an agent that can, nothing but a hardware watchdog would be left: that is promised to nobody.
    if (machine.agent?.process.isRunning === true) machine.fence.kill();
    return nothing;
  }),
  'fence-frozen': onDatabase('the fence is stopped by a signal', (machine) => {
    if (machine.agent?.process.isRunning !== true) return nothing;
    machine.fence.freeze();
    return () => machine.fence.thaw();
  }),
  'cut-from-all': onDatabase('no network at all', (machine, world) =>
    all([
      cutStore(machine),
      ...peersOf(machine, world).flatMap((peer) => [
        world.network.cut(machine.name, peer),
        world.network.cut(peer, machine.name),
      ]),
    ]),
  ),
  'cut-from-store': onDatabase('the store can not be reached', cutStore),
  'cut-from-peers': onDatabase('the other nodes can not be reached', (machine, world) =>
    all(
      peersOf(machine, world).flatMap((peer) => [
        world.network.cut(machine.name, peer),
        world.network.cut(peer, machine.name),
      ]),
    ),
  ),
  'cut-from-one': onDatabase('one other node can not be reached', (machine, world, other) =>
    other === undefined
      ? nothing
      : all([world.network.cut(machine.name, other.name), world.network.cut(other.name, machine.name)]),
  ),
  'cut-in-halves': onDatabase('with one other node, cut from the store and from the rest', (machine, world, other) => {
    const side = [machine, ...(other === undefined || other === machine ? [] : [other])];
    const inside = new Set(side.map(({ name }) => name));
    return all(
      side.flatMap((each) => [
        cutStore(each),
        ...peersOf(each, world).flatMap((peer) =>
          inside.has(peer) ? [] : [world.network.cut(each.name, peer), world.network.cut(peer, each.name)],
        ),
      ]),
    );
  }),
  'cut-outwards': onDatabase('nothing gets out', (machine, world) =>
    all([cutStore(machine), ...peersOf(machine, world).map((peer) => world.network.cut(machine.name, peer))]),
  ),
  'cut-inwards': onDatabase('nothing gets in', (machine, world) => {
    machine.storeFaults.repliesLost = true;
    return all([
      () => {
        machine.storeFaults.repliesLost = false;
      },
      ...peersOf(machine, world).map((peer) => world.network.cut(peer, machine.name)),
    ]);
  }),
  'store-gone': onDatabase('nobody reaches the store', (_machine, world) =>
    all([...world.machines.values()].map((machine) => cutStore(machine))),
  ),
  'store-answer-lost': onDatabase('the next answer of the store is lost', (machine) => {
    machine.storeFaults.lostReplies += 1;
    return nothing;
  }),
  'store-late': onDatabase('the next transactions are carried out seconds later', (machine, world) => {
    machine.storeFaults.lateTransactions += world.random.integer(1, 3);
    machine.storeFaults.lateByMs = world.random.between(100, 8_000);
    return nothing;
  }),
  'durability-late': onDatabase(
    'what it writes of the durability record is carried out seconds later',
    (machine, world) => lateKey(machine, keys.durability, world.random.between(3_500, 8_000)),
  ),
  'release-late': onDatabase('what it writes of the lease is carried out seconds later', (machine, world) =>
    lateKey(machine, keys.lease, world.random.between(500, 6_000)),
  ),
  'handover-late': onDatabase('what it writes of the operation is carried out seconds later', (machine, world) =>
    lateKey(machine, keys.operation, world.random.between(9_500, 13_000)),
  ),
  'watch-silent': onDatabase('the store answers, and tells nothing by itself', (machine) => {
    machine.storeFaults.watchesSilent = true;
    return () => {
      machine.storeFaults.watchesSilent = false;
    };
  }),
  'store-slow': onDatabase('the store takes its time', (machine, world) => {
    machine.storeFaults.slowMs = world.random.between(100, 440);
    return () => {
      machine.storeFaults.slowMs = 0;
    };
  }),
  'store-answers-late': onDatabase('the way back from the store is slow', (machine, world) => {
    machine.storeFaults.answersLateMs = world.random.between(600, 860);
    return () => {
      machine.storeFaults.answersLateMs = 0;
    };
  }),
  'store-compacted': onDatabase('the store forgets its history', (_machine, world) => {
    world.store.compact(world.store.revision);
    return nothing;
  }),
  'disk-full': onDatabase('no space is left', (machine) => {
    machine.server.disk.isFull = true;
    return () => {
      machine.server.disk.isFull = false;
    };
  }),
  'disk-frozen': onDatabase('the disk does not answer', (machine) => {
    machine.server.disk.isFrozen = true;
    return () => machine.server.wakeDisk();
  }),
  'disk-dead': onDatabase('the disk does not answer, and what waits for it can not be killed', (machine) => {
    machine.server.disk.isFrozen = true;
    machine.server.disk.isDead = true;
    return () => machine.server.wakeDisk();
  }),
  'disk-slow': onDatabase('the disk is slow', (machine) => {
    machine.server.disk.slowByMs = 120;
    return () => {
      machine.server.disk.slowByMs = 0;
    };
  }),
  'replay-paused': onDatabase('replay is paused', (machine) => {
    if (machine.server.process !== null) machine.server.process.replayPaused = true;
    return () => machine.server.recovery.resumeReplay();
  }),
  'replay-slow': onDatabase('replay lags by seconds', (machine, world) => {
    machine.server.recovery.slowByMs = world.random.between(1_000, 15_000);
    return () => {
      machine.server.recovery.slowByMs = 0;
    };
  }),
  'start-fails': onDatabase('PostgreSQL ends and does not start again', (machine) => {
    machine.server.failing.start = Number.POSITIVE_INFINITY;
    machine.server.kill();
    return () => {
      machine.server.failing.start = 0;
    };
  }),
  'promotion-fails': onDatabase('two promotions fail', failNext('promote')),
  'clone-fails': onDatabase('two copies break off', failNext('clone')),
  'rewind-fails': onDatabase('two rewinds break off', failNext('rewind')),
  'stop-hangs': onDatabase('two stops hang', failNext('stop')),
  'network-slow': onDatabase('every message takes longer', (_machine, world) => {
    world.network.extraMs = 60;
    return () => {
      world.network.extraMs = 0;
    };
  }),
  'pooler-agent-killed': onApp("the pooler's agent is killed and started again", (machine) => {
    machine.killAgent();
    return nothing;
  }),
  'pooler-agent-frozen': onApp("the pooler's agent is stopped by a signal", (machine) => {
    const { process } = machine;
    process?.freeze();
    return () => process?.thaw();
  }),
  'pooler-killed': onApp('the pooler is killed', (machine) => {
    machine.pooler.kill();
    return nothing;
  }),
  'app-host-crashed': onApp('power off, and on again', (machine) => {
    machine.powerOff();
    return () => machine.powerOn();
  }),
  'app-cut-from-all': onApp('no database node can be reached', (machine, world) =>
    all(
      [...world.machines.keys()].flatMap((peer) => [
        world.network.cut(machine.name, peer),
        world.network.cut(peer, machine.name),
      ]),
    ),
  ),
  'app-cut-from-one': onApp('one database node can not be reached', (machine, world, other) =>
    other === undefined
      ? nothing
      : all([world.network.cut(machine.name, other.name), world.network.cut(other.name, machine.name)]),
  ),
} as const satisfies Record<string, Fault>;

export type FaultKind = keyof typeof table;

export const faultKinds = Object.keys(table).filter(isFaultKind);

export function isFaultKind(name: string): name is FaultKind {
  return Object.hasOwn(table, name);
}

export function faultsOf(kind: FaultKind): Fault {
  return table[kind];
}

/**
 * What belongs together: a world that knows only these gets deeper into one kind of trouble than one that knows
 * everything.
 */
export const themes: readonly (readonly FaultKind[])[] = [
  [
    'cut-from-store',
    'store-answers-late',
    'store-slow',
    'store-late',
    'watch-silent',
    'agent-frozen',
    'fence-killed',
    'store-answer-lost',
  ],
  ['cut-from-store', 'store-gone', 'watch-silent', 'cut-from-peers', 'cut-from-one', 'cut-inwards', 'agent-killed'],
  [
    'agent-frozen',
    'store-answers-late',
    'host-suspended',
    'store-late',
    'fence-killed',
    'cut-outwards',
    'cut-from-all',
  ],
  [
    'host-crashed',
    'agent-frozen',
    'store-late',
    'cut-from-store',
    'store-answer-lost',
    'server-killed',
    'watch-silent',
  ],
  ['cut-from-store', 'store-gone', 'agent-frozen', 'store-answers-late'],
  ['host-crashed', 'replay-slow', 'replay-paused', 'disk-slow', 'cut-from-one', 'server-killed', 'cut-from-peers'],
  ['host-crashed', 'server-killed', 'promotion-fails', 'start-fails', 'agent-killed', 'cut-from-one', 'watch-silent'],
  [
    'stop-hangs',
    'promotion-fails',
    'store-late',
    'agent-killed',
    'cut-from-store',
    'pooler-agent-frozen',
    'host-crashed',
  ],
  [
    'pooler-killed',
    'pooler-agent-killed',
    'pooler-agent-frozen',
    'app-host-crashed',
    'app-cut-from-one',
    'agent-frozen',
  ],
];

/** Answers what undoes it; `null`: there is no such node. */
export function beginFault(world: World, kind: FaultKind, node: string, other: string): (() => void) | null {
  const fault = faultsOf(kind);
  const peer = world.machines.get(other);
  if (fault.on === 'database') {
    const machine = world.machines.get(node);
    return machine === undefined ? null : fault.begin(machine, world, peer);
  }
  const machine = world.apps.get(node);
  return machine === undefined ? null : fault.begin(machine, world, peer);
}
