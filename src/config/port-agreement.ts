/** Whether the programs of one node can all listen: no two of them on the same port. Pure. */
import { type NodeSpec, nodesOfRole, type Spec } from '../core/spec.ts';
import type { Finding } from './issue.ts';
import { defaultApiPort, enrolmentPort, latePort } from './node-file.ts';
import { canonicalAddress } from './words.ts';

/** Where etcd's members reach each other, unless they are told otherwise; endpoints don't name it. */
const storePeerPort = 2380;

interface Taken {
  readonly port: number;
  readonly by: string;
}

interface Endpoint {
  readonly host: string;
  readonly port: number;
}

function endpointOf(text: string): Endpoint {
  const { hostname, port } = new URL(text);
  const host = hostname.startsWith('[') ? hostname.slice(1, -1) : hostname;
  return { host: canonicalAddress(host), port: port === '' ? 443 : Number(port) };
}

function isOn(spec: Spec, node: NodeSpec, { host }: Endpoint): boolean {
  return [canonicalAddress(node.address), node.name, `${node.name}.${spec.domain}`].includes(host);
}

function takenOn(spec: Spec, node: NodeSpec): readonly Taken[] {
  const members = spec.store.endpoints.map(endpointOf).filter((endpoint) => isOn(spec, node, endpoint));
  return [
    { port: defaultApiPort, by: `the agent's API` },
    ...(node.role === 'database'
      ? [
          { port: latePort(defaultApiPort), by: 'the agent, for expired certificates' },
          { port: enrolmentPort({ port: defaultApiPort }), by: 'the agent, for new nodes' },
        ]
      : []),
    ...members.flatMap(({ port }) => [
      { port, by: 'the store' },
      { port: storePeerPort, by: `the store's members among each other` },
    ]),
  ];
}

function clash(
  spec: Spec,
  nodes: readonly NodeSpec[],
  section: 'postgres' | 'poolers',
  usual: number,
): readonly Finding[] {
  const { port } = spec[section];
  for (const node of nodes) {
    const taken = takenOn(spec, node).find((each) => each.port === port);
    if (taken === undefined) continue;
    const message = `${port} is taken on ${node.name} by ${taken.by}. Another port, such as ${usual}`;
    return [{ path: [section, 'port'], at: 'value', message }];
  }
  return [];
}

/** The agent listens on its port on every node, so no store member can. */
function storeClashes(spec: Spec): readonly Finding[] {
  return spec.store.endpoints.flatMap((text, index) => {
    const endpoint = endpointOf(text);
    const node = endpoint.port === defaultApiPort ? spec.nodes.find((each) => isOn(spec, each, endpoint)) : undefined;
    if (node === undefined) return [];
    const message = `${endpoint.port} is taken on ${node.name} by the agent's API. Another port, such as 2379`;
    return [{ path: ['store', 'endpoints', index], at: 'value' as const, message }];
  });
}

export function portDisagreements(spec: Spec): readonly Finding[] {
  return [
    ...clash(spec, nodesOfRole(spec, 'database'), 'postgres', 5432),
    ...clash(spec, nodesOfRole(spec, 'app'), 'poolers', 6432),
    ...storeClashes(spec),
  ];
}
