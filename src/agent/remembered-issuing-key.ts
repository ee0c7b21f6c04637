/**
 * This node's issuing key as it stands in the store, sealed, on its own disk: when all certificates of a cluster have expired, the
 * store can't be read before its members have new ones. It opens with this node's sealing key alone.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface RememberedIssuingKey {
  read(): string | null;
  write(sealed: string): void;
}

export function rememberIssuingKeyIn(stateDirectory: string): RememberedIssuingKey {
  const file = join(stateDirectory, 'issuing-key.sealed');
  const read = (): string | null => {
    try {
      return readFileSync(file, 'utf8');
    } catch {
      return null; // this node has none yet
    }
  };
  let written = read();
  return {
    read,
    write(sealed) {
      if (sealed === written) return;
      const next = `${file}.next`;
      // It is wanted when everything comes back after a power failure.
      writeFileSync(next, sealed, { mode: 0o600, flush: true });
      renameSync(next, file);
      written = sealed;
    },
  };
}
