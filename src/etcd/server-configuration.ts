/** The configuration file of one etcd member, for 3.4 and 3.5: TLS for clients and peers, tokens, compaction. */
import { stringify } from 'yaml';
import { goSuites } from '../core/tls-policy.ts';

export interface EtcdMember {
  readonly name: string;
  readonly address: string;
  readonly clientPort: number;
  readonly peerPort: number;
  readonly dataDirectory: string;
  readonly logFile: string;
  readonly tls: { readonly ca: string; readonly certificate: string; readonly key: string };
  /** A file with one list of revoked certificates, which must be there from the start; `null`: none is looked at. */
  readonly revocations: string | null;
}

export function etcdConfiguration(member: EtcdMember, members: readonly EtcdMember[], token: string): string {
  const client = `https://${member.address}:${member.clientPort}`;
  const peer = (other: EtcdMember) => `https://${other.address}:${other.peerPort}`;
  const { ca, certificate, key } = member.tls;
  const security = { 'cert-file': certificate, 'key-file': key, 'trusted-ca-file': ca, 'client-cert-auth': true };
  return stringify({
    name: member.name,
    'data-dir': member.dataDirectory,
    'listen-client-urls': client,
    'advertise-client-urls': client,
    'listen-peer-urls': peer(member),
    'initial-advertise-peer-urls': peer(member),
    'initial-cluster': members.map((other) => `${other.name}=${peer(other)}`).join(','),
    'initial-cluster-token': token,
    'initial-cluster-state': 'new',
    'client-transport-security': security,
    // There is no documented key for it in a file: this is the name of etcd's own setting (embed.Config), which 3.4 and 3.5 take.
    ...(member.revocations === null ? {} : { ClientTLSInfo: { CRLFile: member.revocations } }),
    'peer-transport-security': security,
    // Of TLS 1.2: which of 1.3 are used nobody can say to Go. 3.4.23, of Debian 12, can't be held to 1.3.
    'cipher-suites': goSuites,
    // With --config-file etcd 3.4 serves no gateway unless told so.
    'enable-grpc-gateway': true,
    'enable-v2': false,
    'auth-token': 'simple',
    // Tokens are asked for again after a restart of a member; a cheap hash suffices for long random passwords.
    'bcrypt-cost': 4,
    'auto-compaction-mode': 'periodic',
    'auto-compaction-retention': '10m',
    'snapshot-count': 10_000,
    'quota-backend-bytes': 268_435_456,
    'heartbeat-interval': 100,
    'election-timeout': 1_000,
    logger: 'zap',
    'log-level': 'warn',
    'log-outputs': [member.logFile],
  });
}
