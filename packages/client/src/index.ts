export { parseTopology, TopologyError } from './parse-topology.ts';
export * from './topology.ts';
