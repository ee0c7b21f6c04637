/**
 * What is seen of this node's pooler at one instant.
 *
 * Never throws. Unknown is not false: a process that lives and does not answer is `unknown`, never `stopped`.
 */

import type { ApplicationName } from '../core/spec.ts';
import { describeError } from '../errors/understudy-error.ts';
import type { LocalPooler } from '../ports/pooler.ts';
import { isAlive } from '../process/identity.ts';
import type { Consoles } from './consoles.ts';
import type { OwnProcess } from './own-process.ts';
import { countClients, showDatabases, showPools, showStraggling } from './views.ts';

/** `consoles` is `null` before the first configuration. `formerUsers`: by user, the application whose password before it has. */
export async function observePooler(
  own: OwnProcess,
  consoles: Consoles | null,
  formerUsers: ReadonlyMap<string, ApplicationName>,
  withinMs: number,
): Promise<LocalPooler> {
  const program = own.program();
  own.look();
  const { running } = own;
  if (running === null) {
    if (program === null) return { state: 'missing-binaries', because: own.whyMissing() };
    return { state: 'stopped' };
  }
  if (consoles === null) return { state: 'unknown', because: 'it runs, and its port is not known yet' };
  try {
    const options = { withinMs };
    const console = await consoles.main(options);
    const [databases, pools, straggling, byUser] = await Promise.all([
      showDatabases(console, options),
      showPools(console, options),
      showStraggling(console, options),
      formerUsers.size === 0 ? new Map<string, number>() : countClients(console, options),
    ]);
    return {
      state: 'running',
      pid: running.pid,
      version: own.version?.text ?? 'unknown',
      paused: databases.filter((database) => database.paused).map((database) => database.name),
      clients: pools.reduce((sum, pool) => sum + pool.clients, 0),
      waiting: pools.reduce((sum, pool) => sum + pool.waiting, 0),
      straggling,
      formerClients: Object.fromEntries(
        [...formerUsers].map(([user, application]) => [application, byUser.get(user) ?? 0]),
      ),
    };
  } catch (error) {
    return isAlive(running) ? { state: 'unknown', because: describeError(error) } : { state: 'stopped' };
  }
}
