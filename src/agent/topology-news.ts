/**
 * What a database node's agent tells of the topology, and when there is something new to tell.
 *
 * Invariant: an app node is told of its own applications alone; whoever is no app node is told of no configuration.
 */
import type { TopologyMessage } from '../api/contract/app-nodes.ts';
import { emptyMemory } from '../core/memory.ts';
import type { NodeName } from '../core/spec.ts';
import type { DatabaseNode } from './database-node.ts';
import { appNodeConfiguration, buildTopology, topologyKey } from './topology.ts';

type Source = Pick<DatabaseNode, 'mirror' | 'freshView' | 'blankView' | 'onChange'>;

export function topologyMessage(agent: Source, forNode: NodeName | null): TopologyMessage {
  const { view, memory } = agent.freshView ?? { view: agent.blankView(), memory: emptyMemory(0) };
  const topology = buildTopology(view, memory);
  const record = view.store.spec?.value;
  if (forNode === null || record === undefined) return { topology };
  const { revocations, trust } = agent.mirror.image;
  const configuration = appNodeConfiguration(record, { credentials: view.store.credentials, revocations }, forNode);
  return configuration === null ? { topology } : { topology, configuration: { ...configuration, trust: trust?.value } };
}

/** Calls back at every change of what `topologyMessage` would answer. */
export function onTopologyNews(agent: Source, listener: () => void): () => void {
  let told = '';
  return agent.onChange(() => {
    const fresh = agent.freshView;
    if (fresh === null) return;
    const { credentials, spec } = fresh.view.store;
    const passwords = [...credentials.values()].map(({ revision }) => revision).join();
    const { revocations, trust } = agent.mirror.image;
    const certified = `${revocations.size} ${trust?.revision ?? 0}`;
    const key = `${spec?.revision ?? 0} ${passwords} ${certified} ${topologyKey(buildTopology(fresh.view, fresh.memory))}`;
    if (key === told) return;
    told = key;
    listener();
  });
}
