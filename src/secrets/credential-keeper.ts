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
import type { ApplicationName, NodeName } from '../core/spec.ts';
import { describeError, isUnderstudyError } from '../errors/understudy-error.ts';
import { unseal } from '../pki/seal.ts';
import { verifySealingKey } from '../pki/sealing-key.ts';
import type { Trust } from '../pki/trust.ts';
import type { CredentialKeeper } from '../ports/credentials.ts';
import { credentialKey } from '../records/keys.ts';

export interface KeeperParts {
  readonly self: NodeName;
  readonly file: string;
  /** Own sealing certificate and key in PEM, of now; `null`: this node has none. */
  readonly own: () => { readonly certificatePem: string; readonly keyPem: string } | null;
  /** Like `own` it throws an `UnderstudyError` when a file can't be read. */
  readonly trust: () => Trust;
  /** Wall clock. */
  readonly nowMs: () => number;
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

type Opened = { readonly password: string } | { readonly because: string };

export function createCredentialKeeper(parts: KeeperParts): CredentialKeeper {
  let credentials = readKept(parts.file);
  let unwritten: string | null = null;
  /** By sealed text. */
  const opened = new Map<string, Opened>();

  const open = ({ application, sealed }: SealedCredential): Opened => {
    const known = opened.get(sealed);
    if (known !== undefined && 'password' in known) return known;
    const result = opening(parts, application, sealed);
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
      return 'password' in result ? result.password : null;
    },
  };
}

/** Files that can't be read for a moment are a trouble as any other: what is not opened is tried again. */
function opening(parts: KeeperParts, application: ApplicationName, sealed: string): Opened {
  try {
    return openedBy(parts, application, sealed);
  } catch (error) {
    if (!isUnderstudyError(error)) throw error;
    return { because: describeError(error) };
  }
}

function openedBy(parts: KeeperParts, application: ApplicationName, sealed: string): Opened {
  const { self } = parts;
  const own = parts.own();
  if (own === null) return { because: `${self} has no sealing key (tls.sealing in its node file)` };
  const key = verifySealingKey(own, self, parts.trust(), parts.nowMs());
  if (!key.ok) return { because: `the sealing key of ${self}: ${key.because}` };
  const found = unseal(sealed, credentialKey(self, application), key.value, parts.trust());
  return found.ok ? { password: found.secret.toString('utf8') } : { because: found.because };
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
