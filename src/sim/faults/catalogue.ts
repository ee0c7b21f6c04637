/**
 * Everything that can go wrong in a simulated world, by name.
 *
 * Invariant: the names and their order are part of what a seed means. Nothing here knows what the agents make of a fault.
 */
import type { World } from '../world/world.ts';
import { appFaults } from './app-faults.ts';
import type { Fault } from './fault.ts';
import { cutFaults, slowFaults } from './network-faults.ts';
import { processFaults } from './process-faults.ts';
import { serverFaults } from './server-faults.ts';
import { storeFaults } from './store-faults.ts';

const table = {
  ...processFaults,
  ...cutFaults,
  ...storeFaults,
  ...serverFaults,
  ...slowFaults,
  ...appFaults,
} as const satisfies Record<string, Fault>;

export type FaultKind = keyof typeof table;

export const faultKinds = Object.keys(table).filter(isFaultKind);

function isFaultKind(name: string): name is FaultKind {
  return Object.hasOwn(table, name);
}

export function faultOf(kind: FaultKind): Fault {
  return table[kind];
}

/** Answers what undoes it; `null`: there is no such node. */
export function beginFault(world: World, kind: FaultKind, node: string, other: string): (() => void) | null {
  const fault = faultOf(kind);
  const peer = world.machines.get(other);
  if (fault.on === 'database') {
    const machine = world.machines.get(node);
    return machine === undefined ? null : fault.begin(machine, world, peer);
  }
  const machine = world.apps.get(node);
  return machine === undefined ? null : fault.begin(machine, world, peer);
}
