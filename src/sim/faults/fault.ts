/**
 * What a fault is: something that begins on a node of a simulated world, and what undoes it.
 *
 * Invariant: what a fault takes away, its undoing gives back, also when several overlap; a host that was switched off
 * comes up, an agent that was killed is started again.
 */
import type { AppMachine } from '../world/app-machine.ts';
import type { DatabaseMachine } from '../world/database-machine.ts';
import type { World } from '../world/world.ts';

export interface DatabaseFault {
  readonly on: 'database';
  readonly what: string;
  begin(machine: DatabaseMachine, world: World, other: DatabaseMachine | undefined): () => void;
}

export interface AppFault {
  readonly on: 'app';
  readonly what: string;
  begin(machine: AppMachine, world: World, other: DatabaseMachine | undefined): () => void;
}

export type Fault = DatabaseFault | AppFault;

/** Of what is over at once, and of what comes back by itself. */
export const nothing = (): void => undefined;

export function onDatabase(what: string, begin: DatabaseFault['begin']): DatabaseFault {
  return { on: 'database', what, begin };
}

export function onApp(what: string, begin: AppFault['begin']): AppFault {
  return { on: 'app', what, begin };
}

/** Runs each of them. */
export function all(undo: readonly (() => void)[]): () => void {
  return () => {
    for (const run of undo) run();
  };
}
