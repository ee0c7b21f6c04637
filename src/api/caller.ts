/**
 * Decides who calls and whether they may, before anything of the request is looked at.
 *
 * Invariant: an identity comes from the certificate that TLS verified, and its role from the spec as this agent knows it
 * now; a node that left the spec may do nothing from that moment on. Only a database node is believed when it says that it
 * acts for somebody: it forwards what people ask, and never more than that person may do.
 */
import type { X509Certificate } from 'node:crypto';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { type IdentityReading, identityFrom } from '../pki/identity.ts';
import type { AgentBackend } from './contract/backend.ts';
import type { CallerKind, Identity, Orderer, Person } from './contract/identities.ts';
import { mayCall, onBehalfOfHeader, type RouteName, routes } from './contract/routes.ts';

export interface Caller {
  readonly identity: Identity;
  /** Who wants it: the caller, or for whom it forwards. */
  readonly orderer: Orderer;
  /** Whom to name in records. */
  readonly by: string;
}

/** What is kept of a connection, so that its certificate is read once. */
export interface Peer {
  readonly reading: IdentityReading;
  readonly address: string | undefined;
  readonly serial: string | undefined;
}

export function peerOf(certificate: X509Certificate | undefined, address: string | undefined): Peer {
  return { reading: identityFrom(certificate), address, serial: certificate?.serialNumber };
}

/** Throws CERTIFICATE_REFUSED for certificates of others or of yesterday, and for revoked ones, FORBIDDEN for nodes that are not in the spec. */
export function identify(
  peer: Peer,
  backend: AgentBackend,
  now: number,
  isRevoked: (serial: string) => boolean = () => false,
): Identity {
  const { reading, serial } = peer;
  if (serial !== undefined && isRevoked(serial)) {
    throw new UnderstudyError('CERTIFICATE_REFUSED', `the certificate ${serial} has been revoked`, {
      hint: 'an operator can issue another one: understudy certificates shows who revoked it',
    });
  }
  if (!reading.recognised) throw new UnderstudyError('CERTIFICATE_REFUSED', reading.because);
  const { identity, validToMs } = reading;
  if (now >= validToMs) throw new UnderstudyError('CERTIFICATE_REFUSED', "the connection's certificate has expired");
  if (identity.cluster !== backend.cluster) {
    const message = `the certificate is of cluster ${identity.cluster}, this is ${backend.cluster}`;
    throw new UnderstudyError('CERTIFICATE_REFUSED', message);
  }
  if (identity.kind !== 'node') return { kind: identity.kind, name: identity.name };
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
  requireRole(identity.kind === 'node' ? identity.role : identity.kind, route);
}

function requireRole(kind: CallerKind | 'unknown', route: RouteName): void {
  if (mayCall(route, kind)) return;
  const { method, path } = routes[route];
  if (kind === 'viewer' && mayCall(route, 'operator')) {
    throw new UnderstudyError('FORBIDDEN', `a viewer may not call ${method} ${path}: it takes the role operator`, {
      hint: "use an operator's certificate: --context FILE or UNDERSTUDY_CONTEXT names its context file",
    });
  }
  const caller = kind === 'operator' ? 'an operator' : kind === 'viewer' ? 'a viewer' : `a node of role ${kind}`;
  throw new UnderstudyError('FORBIDDEN', `${caller} may not call ${method} ${path}`);
}

/** `behalf`: the header as it came. Throws FORBIDDEN, REQUEST_INVALID. */
export function callerOf(identity: Identity, behalf: string | undefined, route: RouteName): Caller {
  if (behalf === undefined) {
    const { kind, name } = identity;
    return { identity, orderer: { kind: kind === 'node' ? 'agent' : kind, name }, by: name };
  }
  if (identity.kind !== 'node' || identity.role !== 'database') {
    throw new UnderstudyError('FORBIDDEN', `only a database node's agent may send ${onBehalfOfHeader}`);
  }
  const person = personIn(behalf);
  // Forwarding takes nobody further than he would get himself.
  requireRole(person.kind, route);
  return { identity, orderer: person, by: person.name };
}

/** As `personIn` reads it. */
export function behalfOf({ kind, name }: Person): string {
  return `${kind}/${encodeURIComponent(name)}`;
}

/** Agents of before there were viewers send a name alone, and only operators could order. */
function personIn(behalf: string): Person {
  const match = /^(?:(operator|viewer)\/)?([^/]+)$/.exec(behalf);
  let name = '';
  try {
    name = decodeURIComponent(match?.[2] ?? '');
  } catch {
    // told below: an empty name is none either
  }
  if (name === '' || name.length > 200 || /[\p{C}\u2028\u2029]/u.test(name)) {
    throw new UnderstudyError('REQUEST_INVALID', `${onBehalfOfHeader} names no operator or viewer`);
  }
  return { kind: match?.[1] === 'viewer' ? 'viewer' : 'operator', name };
}
