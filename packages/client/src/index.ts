export * from './local-topology.ts';
export { parseLocalTopology } from './parse-local-topology.ts';
export { parseTopology, TopologyError } from './parse-topology.ts';
export * from './topology.ts';
