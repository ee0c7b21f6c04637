/** What several faults of the network cut: the way to the store, and both ways between two nodes. */
import type { DatabaseMachine } from '../world/database-machine.ts';
import type { World } from '../world/world.ts';

export function cutStore(machine: DatabaseMachine): () => void {
  machine.storeFaults.unreachable = true;
  return () => {
    machine.storeFaults.unreachable = false;
  };
}

/** Both ways between these two. */
export function cutBetween(world: World, one: string, other: string): readonly (() => void)[] {
  return [world.network.cut(one, other), world.network.cut(other, one)];
}
