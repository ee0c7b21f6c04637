/** `@understudy/client/testing`: a cluster with faults, for the tests of an application. See docs/testing.md. */
export type { ArmedFault } from './commit-faults.ts';
export type { Failover } from './failover.ts';
export { type FakeCluster, type FakeClusterOptions, startFakeCluster } from './fake-cluster.ts';
export type { FakeReplica, FakeServer } from './servers.ts';
