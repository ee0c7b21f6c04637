/** The topology as it goes over the wire: what agents send, and how it is read. Knows nothing of the rest of this package. */
export * from './local-topology.ts';
export { parseLocalTopology } from './parse-local-topology.ts';
export { parseTopology, TopologyError } from './parse-topology.ts';
export * from './topology.ts';
