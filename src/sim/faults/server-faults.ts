/** Faults of a PostgreSQL server and its disk: what is full, slow or silent, replay that lags, acts that fail. */
import type { DatabaseMachine } from '../world/database-machine.ts';
import { onDatabase } from './fault.ts';

function failNext(what: 'promote' | 'clone' | 'rewind' | 'stop') {
  return (machine: DatabaseMachine): (() => void) => {
    machine.server.failing[what] = 2;
    return () => {
      machine.server.failing[what] = 0;
    };
  };
}

export const serverFaults = {
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
};
