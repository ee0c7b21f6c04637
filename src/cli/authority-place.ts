/**
 * Where the authority lies that a verb is about, and what opens its root: as it is named, or that of the stage in this
 * directory, whose passphrase lies beside it.
 */
import { existsSync, readFileSync } from 'node:fs';
import { isAbsolute, resolve } from 'node:path';
import type { Call } from './call.ts';
import { knownPassphrase, type PassphraseOptions } from './passphrase.ts';

export const usualAuthorityDirectory = '/etc/understudy/ca';

export interface PlaceOptions {
  readonly in?: string;
}

export async function authorityPlace(call: Call, options: PlaceOptions): Promise<string> {
  const { cwd } = call.io;
  if (options.in !== undefined) return isAbsolute(options.in) ? options.in : resolve(cwd, options.in);
  const [{ findStage }, { authorityDirectory }] = await Promise.all([
    import('../stage/record.ts'),
    import('../stage/stage-authority.ts'),
  ]);
  const stage = findStage(cwd);
  return stage === null ? usualAuthorityDirectory : authorityDirectory(stage);
}

/** Of an authority that is there. Throws as `knownPassphrase`. */
export async function rootPassphrase(
  call: Call,
  directory: string,
  options: PassphraseOptions & PlaceOptions,
): Promise<string> {
  const { passphraseFileIn } = await import('../stage/stage-authority.ts');
  const beside = passphraseFileIn(directory);
  const isNamed = options.passphraseFile !== undefined || options.passphraseFd !== undefined;
  if (!isNamed && options.in === undefined && existsSync(beside)) return readFileSync(beside, 'utf8').trim();
  return await knownPassphrase(call, options);
}
