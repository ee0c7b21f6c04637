/** Faults of hosts and of the processes on a database node: killed, stopped by a signal, switched off, suspended. */
import type { DatabaseMachine } from '../world/database-machine.ts';
import { nothing, onDatabase } from './fault.ts';

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

export const processFaults = {
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
};
