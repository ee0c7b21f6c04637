/** Credentials of everybody who knocks at a stage without a right to what he asks for; and of a few who have it, to compare. */
import { mkdirSync } from 'node:fs';
import { type Authority, createIssuing, createRoot } from '../src/pki/authority.ts';
import { type CredentialFiles, type Credentials, writeCredentials } from '../src/pki/credential-files.ts';
import { type CertificateRequest, issue } from '../src/pki/issue.ts';
import type { StageRecord } from '../src/stage/record.ts';
import { stageAuthority } from '../src/stage/stage-authority.ts';

const dayMs = 86_400_000;

export interface Knocker {
  readonly credentials: Credentials;
  readonly files: CredentialFiles;
}

type NodeRole = 'database' | 'app' | 'witness';

export type Knockers = Awaited<ReturnType<typeof makeKnockers>> & { readonly revokedOperator: Knocker };
export type KnockerName = keyof Knockers;

export async function makeKnockers(record: StageRecord, directory: string) {
  const { cluster, domain } = record;
  const nowMs = Date.now();
  const own = await stageAuthority(record);
  const validity = { lifeMs: 30 * dayMs, nowMs };
  const foreign = await createIssuing(await createRoot({ cluster, ...validity }), { cluster, ...validity });
  const good = { cluster, lifeMs: dayMs, nowMs } as const;
  const over = { ...good, nowMs: nowMs - 3 * dayMs };
  const node = (name: string, role: NodeRole): CertificateRequest => ({
    ...good,
    kind: 'node',
    role,
    node: name,
    domain,
    addresses: ['127.0.0.1'],
  });
  const operator: CertificateRequest = { ...good, kind: 'operator', name: 'ernest' };
  const storeClient: CertificateRequest = { ...good, kind: 'store-client', name: 'db2' };
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  let count = 0;
  const make = async (authority: Authority, request: CertificateRequest): Promise<Knocker> => {
    const credentials = { ...(await issue(authority, request)), caPem: own.rootsPem };
    count += 1;
    return { credentials, files: await writeCredentials(directory, `knocker-${count}`, credentials) };
  };
  return {
    operator: await make(own, operator),
    viewer: await make(own, { ...good, kind: 'viewer', name: 'vera' }),
    expiredOperator: await make(own, { ...operator, ...over }),
    foreignOperator: await make(foreign, operator),
    operatorElsewhere: await make(own, { ...operator, cluster: 'elsewhere' }),
    app1: await make(own, node('app1', 'app')),
    foreignApp1: await make(foreign, node('app1', 'app')),
    expiredApp1: await make(own, { ...node('app1', 'app'), ...over }),
    db2: await make(own, node('db2', 'database')),
    foreignDb2: await make(foreign, node('db2', 'database')),
    expiredDb2: await make(own, { ...node('db2', 'database'), ...over }),
    /** Declared nowhere. */
    db9: await make(own, node('db9', 'database')),
    storeClient: await make(own, storeClient),
    foreignStoreClient: await make(foreign, storeClient),
    expiredStoreClient: await make(own, { ...storeClient, ...over }),
    storeServer: await make(own, { ...good, kind: 'store-server', name: 'db2', addresses: ['127.0.0.1'] }),
  };
}
