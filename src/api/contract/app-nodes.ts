/** What database agents tell the agents of app nodes: the topology, and what concerns that node alone. */

import type { Topology } from '@understudy/client/topology';
import type { SealedCredential } from '../../core/credential.ts';
import type { RevokedEntry } from '../../core/revocation.ts';
import type { ApplicationSpec, NodeName, OwnCertificateSpec, PoolerSpec } from '../../core/spec.ts';
import type { TlsRules } from '../../core/tls-policy.ts';
import type { TrustRecord } from '../../core/trust-record.ts';

/** What an app node's agent is told beside the topology: only its own applications. */
export interface AppNodeConfiguration {
  readonly specRevision: number;
  /** How long its certificate shall live; an agent of an earlier version does not say it. */
  readonly certificateLifeMs?: number | undefined;
  readonly poolers: PoolerSpec;
  readonly applications: readonly ApplicationSpec[];
  readonly tls: TlsRules;
  /** Own ones that this node shall have; an agent of an earlier version does not say. */
  readonly certificates?: readonly OwnCertificateSpec[] | undefined;
  /** An agent of an earlier version does not say. */
  readonly revoked?: readonly RevokedEntry[] | undefined;
  /** Which roots to trust, signed by one of them. */
  readonly trust?: TrustRecord | undefined;
  /** By which its pooler logs in, sealed to it. */
  readonly credentials: readonly SealedCredential[];
  /** Where every database agent listens. */
  readonly databaseAgents: readonly { readonly node: NodeName; readonly address: string; readonly hostName: string }[];
}

/** One line of `GET /v1/topology/stream` (newline-delimited JSON): sent at every change and at least each second. */
export interface TopologyMessage {
  readonly topology: Topology;
  /** Present in the first message and whenever it changed; only for app nodes. */
  readonly configuration?: AppNodeConfiguration;
}
