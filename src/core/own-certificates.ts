/**
 * Own certificates: which node may have which, and which names can't be declared at all.
 *
 * Invariant: an own certificate never stands for a host of the cluster itself, or the nodes that have it could pass for its
 * database servers, agents or store.
 */
import { hostName, type NodeName, type OwnCertificateSpec, type Spec } from './spec.ts';

const wildcard = '*.';

/** Those of the node's roles; of a node that is none of the spec's, none. */
export function ownCertificatesOf({ certificates, nodes }: Spec, node: NodeName): readonly OwnCertificateSpec[] {
  const roles = nodes.find(({ name }) => name === node)?.roles ?? [];
  return certificates.filter((certificate) => certificate.roles.some((role) => roles.includes(role)));
}

/** Where one is kept below the directory of all: a star would be a pattern to shells. No host name has an underscore. */
export function ownDirectoryName(name: string): string {
  return name.startsWith(wildcard) ? `_wildcard.${name.slice(wildcard.length)}` : name;
}

/** The host of the cluster that a client could take for the certificate's; `null`: there is none. */
export function clusterHostCovered(spec: Spec, name: string): string | null {
  return clusterHosts(spec).find((host) => covers(name, host)) ?? null;
}

function clusterHosts(spec: Spec): readonly string[] {
  const nodes = spec.nodes.flatMap(({ name }) => [name, hostName(spec, name)]);
  const endpoints = spec.store.endpoints.map((endpoint) => new URL(endpoint).hostname);
  return [`postgresql.${spec.domain}`, ...nodes, ...endpoints];
}

/** A wildcard stands for one label (RFC 9525, 6.3). */
function covers(name: string, host: string): boolean {
  if (!name.startsWith(wildcard)) return name === host;
  const dot = host.indexOf('.');
  return dot > 0 && host.slice(dot + 1) === name.slice(wildcard.length);
}
