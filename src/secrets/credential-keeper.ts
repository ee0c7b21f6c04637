/**
 * The credentials of an app node: kept sealed in one file of the state directory, opened when the pooler's configuration is
 * written (docs/adr/0025).
 *
 * Invariant: nothing here writes an opened password anywhere. A file that is missing or damaged is as good as none: every
 * agent of a database node tells it all again.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';
import type { SealedCredential } from '../core/credential.ts';
import { describeError } from '../errors/understudy-error.ts';
import type { CredentialKeeper } from '../ports/credentials.ts';
import { credentialKey } from '../records/keys.ts';
import { type Opened, type OpenerParts, openSealed } from './sealer.ts';

export interface KeeperParts extends OpenerParts {
  readonly file: string;
}

const keptSchema = z.array(
  z.object({
    application: z.string(),
    generation: z.int().positive(),
    sealed: z.string(),
    // Of an earlier version.
    clientPassword: z.int().positive().default(1),
  }),
);

export function createCredentialKeeper(parts: KeeperParts): CredentialKeeper {
  let credentials = readKept(parts.file);
  let unwritten: string | null = null;
  /** By sealed text. */
  const opened = new Map<string, Opened>();

  const open = ({ application, sealed }: SealedCredential): Opened => {
    const known = opened.get(sealed);
    if (known !== undefined && 'secret' in known) return known;
    const result = openSealed(parts, credentialKey(parts.self, application), sealed);
    opened.set(sealed, result);
    return result;
  };

  return {
    get kept() {
      return credentials;
    },
    get trouble() {
      const failed = credentials.flatMap((one) => {
        const result = opened.get(one.sealed);
        return result !== undefined && 'because' in result ? [`${one.application}: ${result.because}`] : [];
      });
      return failed[0] ?? unwritten;
    },
    keep(next) {
      const isSame = JSON.stringify(next) === JSON.stringify(credentials);
      if (isSame && unwritten === null) return;
      credentials = next;
      unwritten = write(parts.file, next);
      const still = new Set(next.map(({ sealed }) => sealed));
      for (const sealed of opened.keys()) if (!still.has(sealed)) opened.delete(sealed);
    },
    passwordOf(application, generation) {
      const found = credentials.find((each) => each.application === application && each.generation === generation);
      if (found === undefined) return null;
      const result = open(found);
      return 'secret' in result ? result.secret : null;
    },
  };
}

/** Answers what went wrong. What was not written is told anew by the next agent of a database node that is heard. */
function write(file: string, credentials: readonly SealedCredential[]): string | null {
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    writeFileSync(`${file}.new`, JSON.stringify(credentials), { mode: 0o600 });
    renameSync(`${file}.new`, file);
    return null;
  } catch (error) {
    return `${file} can't be written: ${describeError(error)}`;
  }
}

function readKept(file: string): readonly SealedCredential[] {
  try {
    return keptSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    return []; // told anew, as above
  }
}
