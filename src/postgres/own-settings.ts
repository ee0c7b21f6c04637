/**
 * The settings that this server shall have: the last ones that were wanted, and the writing of them into a data directory.
 *
 * Invariant: one writing after the other, so that whoever writes last has the settings of then. A list of revoked certificates
 * is named only while it is whole: a server does not start with one that is missing or damaged.
 */
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { ServerConfiguration } from '../ports/postgres.ts';
import { writeConfiguration } from './configuration.ts';

export interface OwnSettings {
  want(configuration: ServerConfiguration): void;
  /** Throws BROKEN_INVARIANT. */
  requireKnown(): void;
  /** Answers whether anything changed; nothing does while nothing is wanted yet. */
  write(directory: string): Promise<boolean>;
}

/** `revocationList`: the file of lists, asked for before each writing; `null`: none. */
export function createOwnSettings(revocationList: () => string | null): OwnSettings {
  let wanted: ServerConfiguration | null = null;
  let writing: Promise<unknown> = Promise.resolve();
  return {
    want(configuration) {
      wanted = configuration;
    },
    requireKnown() {
      if (wanted === null) throw new UnderstudyError('BROKEN_INVARIANT', 'configure comes before every construction');
    },
    async write(directory) {
      const written = writing.then(async () => {
        if (wanted === null) return false;
        const list = revocationList();
        const parameters = list === null ? {} : { ssl_crl_file: list };
        return await writeConfiguration(directory, { ...wanted, parameters: { ...wanted.parameters, ...parameters } });
      });
      writing = written.catch(() => undefined);
      return await written;
    },
  };
}
