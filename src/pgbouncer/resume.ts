/**
 * Resumes aliases, and proves it.
 *
 * Invariant: `verifyResumed` returns only when pgbouncer shows nothing paused and every alias leading where it should.
 */
import { isUnderstudyError, UnderstudyError } from '../errors/understudy-error.ts';
import type { PoolerConfiguration } from '../ports/pooler.ts';
import type { ActOptions } from '../ports/postgres.ts';
import { quoteName } from './console.ts';
import type { Consoles } from './consoles.ts';
import { type DatabaseState, showDatabases } from './views.ts';

const attempts = 3;

/** "is not paused", and an alias that is gone, are no failures here: `verifyResumed` judges the outcome. */
export async function resumeAlias(consoles: Consoles, alias: string, options: ActOptions): Promise<void> {
  // Each alias has its own connection, so that many resume as fast as one.
  const console = await consoles.forPausing(alias, options);
  try {
    await console.query(`RESUME ${quoteName(alias)}`, options);
  } catch (error) {
    if (!isUnderstudyError(error, 'POOLER_FAILED') || !console.isOpen) throw error;
  }
}

/** Throws POOLER_FAILED when it stays paused or points elsewhere after a few more attempts. */
export async function verifyResumed(
  consoles: Consoles,
  configuration: PoolerConfiguration,
  options: ActOptions,
): Promise<void> {
  const console = await consoles.main(options);
  for (let attempt = 1; ; attempt += 1) {
    const databases = await showDatabases(console, options);
    const paused = databases.filter((database) => database.paused);
    if (paused.length === 0 && leadsTo(configuration, databases)) return;
    if (attempt === attempts) {
      const what = paused.length > 0 ? 'stays paused' : 'did not take its new configuration';
      throw new UnderstudyError('POOLER_FAILED', `pgbouncer ${what}`);
    }
    await console.query('RELOAD', options);
    await Promise.all(paused.map(async (database) => await resumeAlias(consoles, database.name, options)));
  }
}

/** Do the aliases lead where the configuration says? */
export function leadsTo(configuration: PoolerConfiguration, databases: readonly DatabaseState[]): boolean {
  return configuration.aliases.every((alias) => {
    const found = databases.find((database) => database.name === alias.name);
    const host = (found?.host ?? '').split(',')[0];
    return found !== undefined && host === alias.addresses[0] && found.port === alias.port;
  });
}
