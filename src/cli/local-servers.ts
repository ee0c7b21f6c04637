/**
 * PostgreSQL servers of this machine, for verbs that need to be their superuser: the one of a database node, all of a stage.
 *
 * Over the network nobody is superuser (core/rules/settings.ts): these verbs are called where the server is, as root or as its
 * agent's user (adr/0028). They ask no agent and no store, and work while these are gone.
 */
import type { Place } from '../by-hand/place.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { ServerStanding } from '../logical/databases.ts';
import type { Server } from '../logical/server.ts';
import type { Call } from './call.ts';

export interface LocalServer extends ServerStanding {
  readonly node: string;
  readonly server: Server;
}

/** A standby that lags by more shows a past that nobody asked for. */
const fitWithinBytes = 16 * 1024 * 1024;

/** Those that run. Throws NOT_FOUND for another `node`, PROCESS_FAILED when none answers. */
export async function localServers(call: Call, node?: string): Promise<readonly LocalServer[]> {
  const [{ findPlace }, { standingOf }] = await Promise.all([
    import('../by-hand/place.ts'),
    import('../logical/databases.ts'),
  ]);
  const place = await findPlace(call.io.cwd);
  const files = place.here.filter(({ role }) => role === 'database');
  const names = files.map((file) => file.node);
  if (names.length === 0 || (node !== undefined && !names.includes(node))) throw notHere(node, names);
  const wanted = files.filter((file) => node === undefined || file.node === node);
  const asked = await Promise.allSettled(
    wanted.map(async (file): Promise<LocalServer> => {
      const server = serverOf(place, file.directories.run);
      return { node: file.node, server, ...(await standingOf(server, call.signal)) };
    }),
  );
  const running = asked.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  const [failed] = asked.flatMap((one): unknown[] => (one.status === 'rejected' ? [one.reason] : []));
  if (running.length > 0) return running;
  throw new UnderstudyError(
    'POSTGRES_FAILED',
    `PostgreSQL does not answer on ${wanted.map((file) => file.node).join(', ')}`,
    {
      cause: failed,
      hint: 'it must run, and this must be called as root or as the user of its agent',
    },
  );
}

function notHere(node: string | undefined, names: readonly string[]): UnderstudyError {
  const what = node === undefined ? 'there is no database node' : `${node} is no database node`;
  const hint =
    names.length === 0 ? 'call it on a database node' : `here: ${names.join(', ')}; or call it on that machine`;
  return new UnderstudyError('NOT_FOUND', `${what} on this machine`, { hint });
}

function serverOf({ account, binaries, spec }: Place, host: string): Server {
  const runAs = account === null ? null : { uid: account.uid, gid: account.gid };
  return { binaries, host, port: spec.spec.postgres.port, user: 'postgres', runAs };
}

/** The primary has other work: a standby that streams and has replayed nearly everything comes first. One that is delayed comes last. */
export function fittest(servers: readonly LocalServer[]): LocalServer | undefined {
  const fit = servers.find(
    (one) => one.inRecovery && one.isStreaming && !one.isDelayed && one.unreplayedBytes <= fitWithinBytes,
  );
  return (
    fit ?? servers.find(({ inRecovery }) => !inRecovery) ?? servers.find(({ isDelayed }) => !isDelayed) ?? servers[0]
  );
}
