/**
 * Decides who calls and whether they may, before anything of the request is looked at.
 *
 * Invariant: an identity comes from the certificate that TLS verified, and its role from the spec as this agent knows it
 * now; a node that left the spec may do nothing from that moment on. Only a database node is believed when it says that it
 * acts for somebody: it forwards what operators ask.
 */
import type { X509Certificate } from 'node:crypto';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { type IdentityReading, identityFrom } from '../pki/identity.ts';
import { type AgentBackend, type Identity, onBehalfOfHeader, type RouteName, routes } from './contract.ts';

export interface Caller {
  readonly identity: Identity;
  /** Whom to name in records. */
  readonly by: string;
}

/** What is kept of a connection, so that its certificate is read once. */
export interface Peer {
  readonly reading: IdentityReading;
}

export function peerOf(certificate: X509Certificate | undefined): Peer {
  return { reading: identityFrom(certificate) };
}

/** Throws CERTIFICATE_REFUSED for certificates of others or of yesterday, FORBIDDEN for nodes that are not in the spec. */
export function identify(peer: Peer, backend: AgentBackend, now: number): Identity {
  const { reading } = peer;
  if (!reading.recognised) throw new UnderstudyError('CERTIFICATE_REFUSED', reading.because);
  const { identity, validToMs } = reading;
  if (now >= validToMs) throw new UnderstudyError('CERTIFICATE_REFUSED', "the connection's certificate has expired");
  if (identity.cluster !== backend.cluster) {
    const message = `the certificate is of cluster ${identity.cluster}, this is ${backend.cluster}`;
    throw new UnderstudyError('CERTIFICATE_REFUSED', message);
  }
  if (identity.kind === 'operator') return { kind: 'operator', name: identity.name };
  const role = backend.identify(identity.name);
  if (role === 'unknown') {
    throw new UnderstudyError('FORBIDDEN', `${identity.name} is no node of ${backend.cluster}`, {
      hint: 'declare the node and apply the spec',
    });
  }
  return { kind: 'node', name: identity.name, role };
}

/** Throws FORBIDDEN. */
export function authorise(identity: Identity, route: RouteName): void {
  const who: readonly string[] = routes[route].who;
  const kind = identity.kind === 'operator' ? 'operator' : identity.role;
  if (who.includes(kind)) return;
  const caller = identity.kind === 'operator' ? 'an operator' : `a node of role ${kind}`;
  throw new UnderstudyError('FORBIDDEN', `${caller} may not call ${routes[route].method} ${routes[route].path}`);
}

/** `behalf`: the header as it came. Throws FORBIDDEN, REQUEST_INVALID. */
export function callerOf(identity: Identity, behalf: string | undefined): Caller {
  if (behalf === undefined) return { identity, by: identity.name };
  if (identity.kind !== 'node' || identity.role !== 'database') {
    throw new UnderstudyError('FORBIDDEN', `only a database node's agent may send ${onBehalfOfHeader}`);
  }
  return { identity, by: decodeName(behalf) };
}

function decodeName(encoded: string): string {
  let name = '';
  try {
    name = decodeURIComponent(encoded);
  } catch {
    // told below: an empty name is none either
  }
  if (name === '' || name.length > 200 || /[\p{C}\u2028\u2029]/u.test(name)) {
    throw new UnderstudyError('REQUEST_INVALID', `${onBehalfOfHeader} is no percent-encoded name`);
  }
  return name;
}
