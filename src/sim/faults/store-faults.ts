/** Faults of the store, as one client meets them: out of reach, slow, silent, late with what it carries out, forgetful. */
import { keys } from '../../records/keys.ts';
import type { DatabaseMachine } from '../world/database-machine.ts';
import { cutStore } from './cuts.ts';
import { all, nothing, onDatabase } from './fault.ts';

function lateKey(machine: DatabaseMachine, key: string, byMs: number): () => void {
  machine.storeFaults.lateKey = key;
  machine.storeFaults.lateByMs = byMs;
  return () => {
    machine.storeFaults.lateKey = null;
  };
}

export const storeFaults = {
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
};
