/**
 * Sets up users and roles in a new etcd, so that each database node has a user of its own, limited to the cluster's
 * prefix (etcd documentation: "Role-based access control"). May be repeated at any time, with more users.
 *
 * etcd's gateway ignores the names in client certificates, so a password per node is what tells nodes apart. A user
 * that is there keeps its password: this refuses to change one.
 */
import { z } from 'zod';
import { isUnderstudyError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';
import { Endpoints } from './endpoints.ts';
import { type EtcdCredentials, type EtcdTls, Gateway } from './gateway.ts';
import { prefixEnd, toBase64 } from './wire.ts';

export interface EnrolmentRequest {
  readonly endpoint: string;
  readonly tls: EtcdTls;
  readonly rootPassword: string;
  /** Ends with a slash. */
  readonly prefix: string;
  readonly users: readonly EtcdCredentials[];
  readonly clock: Clock;
}

const done = z.looseObject({});
/** A new member elects itself after its election time-out. */
const callWithinMs = 10_000;

type Call = (path: string, body: object) => Promise<void>;

/** Throws STORE_UNREACHABLE, STORE_DENIED (another root password), STORE_CERTIFICATE. */
export async function enrolStore(request: EnrolmentRequest): Promise<void> {
  const endpoints = new Endpoints([request.endpoint], request.clock);
  const open = new Gateway(request.tls, null);
  const asRoot = new Gateway(request.tls, { name: 'root', password: request.rootPassword });
  const through =
    (gateway: Gateway): Call =>
    async (path, body) => {
      await endpoints.inTurn({ withinMs: callWithinMs }, ({ endpoint, call }) =>
        gateway.post(endpoint, path, body, done, call),
      );
    };
  try {
    const enabled = await isAuthEnabled(through(open));
    const call = through(enabled ? asRoot : open);
    const role = roleOf(request.prefix);
    await makeRole(call, role, request.prefix);
    await unlessThere(call('/v3/auth/role/add', { name: 'root' }));
    await makeUser(call, { name: 'root', password: request.rootPassword }, 'root');
    for (const user of request.users) await makeUser(call, user, role);
    // Last: from here on only root may do any of the above.
    if (!enabled) await call('/v3/auth/enable', {});
  } finally {
    await open.close();
    await asRoot.close();
  }
}

/** Without a user, users may be listed only while authentication is off. */
async function isAuthEnabled(call: Call): Promise<boolean> {
  try {
    await call('/v3/auth/user/list', {});
    return false;
  } catch (error) {
    if (isUnderstudyError(error, 'STORE_DENIED')) return true;
    throw error;
  }
}

/** The role that may read and write the prefix, named after it. */
function roleOf(prefix: string): string {
  return prefix.replace(/^\/+|\/+$/g, '').replace(/[^A-Za-z0-9_-]+/g, '-');
}

async function makeRole(call: Call, role: string, prefix: string): Promise<void> {
  await unlessThere(call('/v3/auth/role/add', { name: role }));
  const perm = { permType: 'READWRITE', key: toBase64(prefix), range_end: prefixEnd(prefix) };
  await call('/v3/auth/role/grant', { name: role, perm });
}

async function makeUser(call: Call, { name, password }: EtcdCredentials, role: string): Promise<void> {
  await unlessThere(call('/v3/auth/user/add', { name, password }));
  await call('/v3/auth/user/grant', { user: name, role });
}

async function unlessThere(made: Promise<void>): Promise<void> {
  try {
    await made;
  } catch (error) {
    if (!isUnderstudyError(error, 'CONFLICT')) throw error;
  }
}
