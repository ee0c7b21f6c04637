/**
 * Starts pgbouncer with a configuration.
 *
 * Invariant: one that starts while writes are held comes up paused: its first configuration leads writing aliases
 * nowhere, and the real addresses follow once pgbouncer has confirmed the pause.
 */
import type { PoolerConfiguration, PoolerGate } from '../ports/pooler.ts';
import type { ActOptions } from '../ports/postgres.ts';
import type { ConfigurationInForce } from './configuration-in-force.ts';
import { quoteName } from './console.ts';
import type { Consoles } from './consoles.ts';
import { awaitAnswer, requireFreePort, startProcess } from './daemon-process.ts';
import type { OwnProcess } from './own-process.ts';

interface StartParts {
  readonly own: OwnProcess;
  readonly inForce: ConfigurationInForce;
  readonly consoles: Consoles;
}

/** Throws PORT_IN_USE, PROCESS_FAILED, POOLER_FILES_FAILED, POOLER_FAILED, POOLER_TIMEOUT. */
export async function startPooler(
  { own, inForce, consoles }: StartParts,
  program: string,
  configuration: PoolerConfiguration,
  gate: PoolerGate,
  options: ActOptions,
): Promise<void> {
  await requireFreePort(configuration.listenAddress, configuration.port);
  inForce.write(configuration, gate);
  const daemon = await startProcess(program, own.places);
  const connect = async (withinMs: number) => await consoles.main({ ...options, withinMs });
  const console = await awaitAnswer(daemon, own.places, connect, options);
  own.began(daemon);
  if (gate === 'open') return;
  const pausing = inForce
    .writeAliases()
    .map(async (alias) => await console.query(`PAUSE ${quoteName(alias)}`, options));
  await Promise.all(pausing);
  inForce.write(configuration, 'open');
  await console.query('RELOAD', options);
}
