/** Whether the nodes of a declaration agree with each other. Pure. */
import { isDelayed, type NodeSpec, nodesOfRole, type Spec, slotName } from '../core/spec.ts';
import type { Finding } from './issue.ts';
import { quote } from './issue.ts';
import { impliedDatacenter } from './normalise.ts';
import type { ClusterFile } from './schema.ts';
import { closest } from './spelling.ts';
import { canonicalAddress } from './words.ts';

/** PostgreSQL's NAMEDATALEN less one: a longer slot name is refused. */
const longestSlotName = 63;
/** X.509's ub-common-name (RFC 5280, A.1). */
const longestCommonName = 64;
const longestHostName = 253;

function atKey(node: NodeSpec, message: string): Finding {
  return { path: ['nodes', node.role, node.name], at: 'key', message };
}

function atField(node: NodeSpec, field: string, message: string): Finding {
  return { path: ['nodes', node.role, node.name, field], at: 'value', message };
}

/** A finding about every node whose mark an earlier node had. */
function repeated(
  nodes: readonly NodeSpec[],
  mark: (node: NodeSpec) => string,
  describe: (node: NodeSpec, earlier: NodeSpec) => Finding,
): readonly Finding[] {
  const first = new Map<string, NodeSpec>();
  return nodes.flatMap((node) => {
    const earlier = first.get(mark(node));
    if (earlier !== undefined) return [describe(node, earlier)];
    first.set(mark(node), node);
    return [];
  });
}

function names(spec: Spec): readonly Finding[] {
  const twice = repeated(
    spec.nodes,
    (node) => node.name,
    (node, earlier) => atKey(node, `is also declared as ${earlier.role} node. Every node has one name and one role`),
  );
  const slots = repeated(
    nodesOfRole(spec, 'database').filter(
      (node, index, all) => all.findIndex(({ name }) => name === node.name) === index,
    ),
    (node) => slotName(node.name),
    (node, earlier) =>
      atKey(
        node,
        `needs the same replication slot as ${earlier.name} (${slotName(node.name)}). Names that differ in a letter or digit`,
      ),
  );
  const long = spec.nodes.flatMap((node) => {
    if (node.role === 'database' && slotName(node.name).length > longestSlotName) {
      return [
        atKey(node, `is too long for a replication slot. At most ${longestSlotName - slotName('').length} letters`),
      ];
    }
    if (node.name.length > longestCommonName) {
      return [atKey(node, `is too long for a certificate. At most ${longestCommonName} letters`)];
    }
    if (`${node.name}.${spec.domain}`.length > longestHostName) {
      return [atKey(node, `is too long together with the domain. At most ${longestHostName} letters in all`)];
    }
    return [];
  });
  return [...twice, ...slots, ...long];
}

function addresses(spec: Spec): readonly Finding[] {
  return repeated(
    spec.nodes,
    (node) => canonicalAddress(node.address),
    (node, earlier) =>
      atField(
        node,
        'address',
        `${quote(node.address)} is already the address of ${earlier.name}. Every node has its own`,
      ),
  );
}

function datacenters(spec: Spec): readonly Finding[] {
  const known = Object.keys(spec.datacenters);
  return spec.nodes.flatMap((node) => {
    const implied = impliedDatacenter(node.name, spec.datacenters);
    if (node.datacenter === null || node.datacenter === implied) return [];
    if (known.includes(node.datacenter)) {
      if (implied === null) return [];
      const message = `${quote(node.datacenter)} contradicts the name, which ends in ${implied}. ${quote(implied)}, or another name`;
      return [atField(node, 'datacenter', message)];
    }
    const near = closest(node.datacenter, known);
    const right = near === undefined ? `Declare it under 'datacenters'` : `Did you mean '${near}'?`;
    return [atField(node, 'datacenter', `${quote(node.datacenter)} is not declared. ${right}`)];
  });
}

/** Nodes whose priority was written down, the default too. */
function prioritised(file: ClusterFile, spec: Spec): readonly NodeSpec[] {
  return nodesOfRole(spec, 'database').filter((node) => {
    const written = file.nodes.database?.[node.name];
    return node.failover === 'allowed' && typeof written === 'object' && typeof written.priority === 'number';
  });
}

function primaries(file: ClusterFile, spec: Spec): readonly Finding[] {
  const members = nodesOfRole(spec, 'database');
  if (members.length === 0) {
    const message = 'there is no database node. At least one, better three, such as: database: { pg0: 10.0.1.10 }';
    return [{ path: ['nodes', 'database'], at: 'key', message }];
  }
  const able = members.filter((node) => node.failover === 'allowed');
  if (able.length === 0) {
    const message = `every database node has 'failover: never', so none may be primary. Remove it from at least one`;
    return [{ path: ['nodes', 'database'], at: 'key', message }];
  }
  const highest = Math.max(...able.map((node) => node.priority));
  const [preferred, ...others] = prioritised(file, spec).filter((node) => node.priority === highest);
  return others.map((node) =>
    atField(
      node,
      'priority',
      `${highest} makes two primaries' worth of priority: ${preferred?.name ?? ''} has it too, and there is one primary. ` +
        `Give the highest priority to one node, or remove it from both and let Understudy choose`,
    ),
  );
}

function delays(spec: Spec): readonly Finding[] {
  const members = nodesOfRole(spec, 'database');
  return members.filter(isDelayed).flatMap((node): readonly Finding[] => {
    if (node.failover === 'allowed') {
      const message = `contradicts 'delay': whoever is primary has no delay to replay with. Remove it, or the delay`;
      return [atField(node, 'failover', message)];
    }
    if (node !== members[0] || members.length === 1) return [];
    return [atField(node, 'delay', `is on the first node, which initialises the cluster. Another node first`)];
  });
}

export function nodeDisagreements(file: ClusterFile, spec: Spec): readonly Finding[] {
  return [...names(spec), ...addresses(spec), ...datacenters(spec), ...primaries(file, spec), ...delays(spec)];
}

/** What is allowed and probably not meant. */
export function nodeDoubts(spec: Spec): readonly Finding[] {
  const able = nodesOfRole(spec, 'database').filter((node) => node.failover === 'allowed');
  const known = Object.keys(spec.datacenters);
  const lonely: readonly Finding[] =
    able.length > 1
      ? []
      : [
          {
            path: ['nodes', 'database'],
            at: 'key',
            message: `only ${able[0]?.name ?? 'one node'} can be primary, so nobody can take over. A second database node`,
          },
        ];
  const stray = spec.nodes.flatMap((node) =>
    known.length > 0 && node.datacenter === null && node.name.includes('.')
      ? [atKey(node, `ends in no declared datacenter. One of ${known.join(', ')}, or 'datacenter: ...' in its map`)]
      : [],
  );
  return [...lonely, ...stray];
}
