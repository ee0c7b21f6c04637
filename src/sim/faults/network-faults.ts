/** Faults of the network as a database node meets them: ways that are cut, in one direction or both, and ways that are slow. */
import type { DatabaseMachine } from '../world/database-machine.ts';
import type { World } from '../world/world.ts';
import { cutBetween, cutStore } from './cuts.ts';
import { all, nothing, onDatabase } from './fault.ts';

function peersOf(machine: DatabaseMachine, world: World): readonly string[] {
  return [...world.machines.keys(), ...world.apps.keys()].filter((name) => name !== machine.name);
}

export const cutFaults = {
  'cut-from-all': onDatabase('no network at all', (machine, world) =>
    all([cutStore(machine), ...peersOf(machine, world).flatMap((peer) => cutBetween(world, machine.name, peer))]),
  ),
  'cut-from-store': onDatabase('the store can not be reached', cutStore),
  'cut-from-peers': onDatabase('the other nodes can not be reached', (machine, world) =>
    all(peersOf(machine, world).flatMap((peer) => cutBetween(world, machine.name, peer))),
  ),
  'cut-from-one': onDatabase('one other node can not be reached', (machine, world, other) =>
    other === undefined ? nothing : all(cutBetween(world, machine.name, other.name)),
  ),
  'cut-in-halves': onDatabase('with one other node, cut from the store and from the rest', (machine, world, other) => {
    const side = [machine, ...(other === undefined || other === machine ? [] : [other])];
    const inside = new Set(side.map(({ name }) => name));
    return all(
      side.flatMap((each) => [
        cutStore(each),
        ...peersOf(each, world).flatMap((peer) => (inside.has(peer) ? [] : cutBetween(world, each.name, peer))),
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
};

export const slowFaults = {
  'network-slow': onDatabase('every message takes longer', (_machine, world) => {
    world.network.extraMs = 60;
    return () => {
      world.network.extraMs = 0;
    };
  }),
};
