/** A node's own sealing certificate and key, and what it trusts, from the files that its node file names. */
import { readFileSync } from 'node:fs';
import { describeError, UnderstudyError } from '../errors/understudy-error.ts';
import type { Trust } from '../pki/trust.ts';

export interface OwnSealing {
  readonly certificatePem: string;
  readonly keyPem: string;
}

/** `null`: the node file names none. Throws CONFIG_UNREADABLE. */
export function readOwnSealing(
  files: { readonly certificate: string; readonly key: string } | null | undefined,
): OwnSealing | null {
  if (files === null || files === undefined) return null;
  try {
    return { certificatePem: readFileSync(files.certificate, 'utf8'), keyPem: readFileSync(files.key, 'utf8') };
  } catch (error) {
    throw new UnderstudyError('CONFIG_UNREADABLE', `this node's sealing key: ${describeError(error)}`);
  }
}

/** Read each time: a root may be added while the agent runs. What is answered throws CONFIG_UNREADABLE. */
export function trustIn(cluster: string, roots: string, revoked: () => Trust['revoked']): () => Trust {
  return () => {
    try {
      return { cluster, rootsPem: readFileSync(roots, 'utf8'), revoked: revoked() };
    } catch (error) {
      throw new UnderstudyError('CONFIG_UNREADABLE', `what this node trusts: ${describeError(error)}`);
    }
  };
}
