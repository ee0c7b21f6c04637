/** Faults of an app node: its host, its pooler, the pooler's agent, and its ways to the databases. */
import { cutBetween } from './cuts.ts';
import { all, nothing, onApp } from './fault.ts';

export const appFaults = {
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
    all([...world.machines.keys()].flatMap((peer) => cutBetween(world, machine.name, peer))),
  ),
  'app-cut-from-one': onApp('one database node can not be reached', (machine, world, other) =>
    other === undefined ? nothing : all(cutBetween(world, machine.name, other.name)),
  ),
};
