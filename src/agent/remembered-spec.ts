/**
 * The last spec this node saw, on its own disk, so that an agent that starts without the store still knows which
 * PostgreSQL is its own. Never a source of decisions about the lease: those need the store.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SpecRecord } from '../core/cluster-view.ts';
import { decodeRecord, encodeRecord } from '../records/codecs.ts';

export interface RememberedSpec {
  read(): SpecRecord | null;
  write(record: SpecRecord): void;
}

export function rememberSpecIn(stateDirectory: string): RememberedSpec {
  const file = join(stateDirectory, 'spec.json');
  let written = 0;
  return {
    read() {
      let text: string;
      try {
        text = readFileSync(file, 'utf8');
      } catch {
        return null; // the first start of this node
      }
      const decoded = decodeRecord('spec', text);
      return decoded.ok ? decoded.value : null;
    },
    write(record) {
      if (record.revision === written) return;
      const next = `${file}.next`;
      writeFileSync(next, encodeRecord('spec', record), { mode: 0o600 });
      renameSync(next, file);
      written = record.revision;
    },
  };
}
