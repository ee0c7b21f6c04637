/** What has an agent's node trust the roots that the authority says, and its certificates rest on the one to issue from. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { certificatesDirectory } from '../config/node-file.ts';
import type { CertificatePurpose } from '../core/certificates.ts';
import { ownDirectoryName } from '../core/own-certificates.ts';
import type { OwnCertificateSpec } from '../core/spec.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { requireTrustOf } from '../etcd/member-trust.ts';
import type { LeafPlaces } from '../pki/leaf-files.ts';
import { rootFiles } from '../pki/root-files.ts';
import { rootOf, rootOfSealed } from '../pki/trust-statement.ts';
import type { RootFiles, RootReader } from '../ports/trust.ts';
import type { Foundation } from './foundation.ts';

export interface TrustParts {
  readonly files: RootFiles;
  readonly reader: RootReader;
  isOutdated(purpose: CertificatePurpose): boolean;
  isOwnOutdated(wanted: OwnCertificateSpec): boolean;
  /** Before a new certificate takes its place. Throws CERTIFICATE_REFUSED, STORE_CERTIFICATE. */
  check(purpose: CertificatePurpose, chain: string, keyPem: string): Promise<void>;
}

export function trustOf({ file }: Foundation, places: LeafPlaces): TrustParts {
  const { cluster, directories, store, tls } = file;
  const chains = Object.fromEntries(Object.entries(places).map(([purpose, { certificate }]) => [purpose, certificate]));
  const files = rootFiles({
    ...{ cluster, roots: tls.ca, others: store === null ? [] : [store.ca], chains },
    memory: join(directories.state, 'trust.json'),
  });
  const roots = () => readFileSync(tls.ca, 'utf8');
  const restsElsewhere = (path: string): boolean => {
    const wanted = files.taken()?.issueFrom;
    return wanted !== undefined && rootOf(readFileSync(path, 'utf8'), roots()) !== wanted;
  };
  return {
    files,
    reader: { ofSealed: (text) => rootOfSealed(text, roots()) },
    isOutdated: (purpose) => {
      const path = chains[purpose];
      return path !== undefined && restsElsewhere(path);
    },
    isOwnOutdated: ({ name }) => restsElsewhere(join(certificatesDirectory(file), ownDirectoryName(name), 'chain.pem')),
    async check(purpose, chain, keyPem) {
      const wanted = files.taken()?.issueFrom;
      if (wanted === undefined) return;
      if (rootOf(chain, roots()) !== wanted) {
        throw new UnderstudyError('CERTIFICATE_REFUSED', 'a new certificate rests on the former root', {
          hint: 'the node that signs has not got the new issuing authority yet: it is tried again by itself',
        });
      }
      // Both are shown to members of the store, which knew the roots when they started.
      if (store === null || (purpose !== 'store-client' && purpose !== 'store-server')) return;
      await requireTrustOf(store.endpoints, { ca: readFileSync(store.ca, 'utf8'), certificate: chain, key: keyPem });
    },
  };
}
