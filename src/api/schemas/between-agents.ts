/**
 * What agents tell and ask one another.
 *
 * Of the requests the report is news: it orders nothing, and an app node that was upgraded first must not fall silent for it.
 */

import { parseTopology } from '@understudy/client/topology';
import { z } from 'zod';
import { defaultApplicationFiles } from '../../core/spec.ts';
import { revocation, trustRecord } from '../../records/certificate-schema.ts';
import {
  applicationFilesSpec,
  applicationSpec,
  count,
  formerTlsRules,
  name,
  ownCertificateSpec,
  poolerSpec,
  positive,
  text,
  tlsException,
  tlsRules,
} from '../../records/spec-schema.ts';
import { poolerReport } from '../../records/status-schemas.ts';
import type { AppNodeConfiguration, TopologyMessage } from '../contract/app-nodes.ts';
import { nothing } from './orders.ts';

/** The same keys as in a declaration, where an unknown one is an error; here a newer agent has sent it. */
export const configuration = z.object({
  specRevision: count,
  trust: trustRecord.optional(),
  certificateLifeMs: positive.optional(),
  poolers: z.object(poolerSpec.shape),
  applications: z.array(
    z.object({
      ...applicationSpec.shape,
      files: z.object(applicationFilesSpec.shape).default(defaultApplicationFiles),
    }),
  ),
  tls: z.object({ ...tlsRules.shape, exceptions: z.array(z.object(tlsException.shape)) }).default(formerTlsRules),
  certificates: z
    .array(z.object({ ...ownCertificateSpec.shape, files: z.object(applicationFilesSpec.shape) }))
    .optional(),
  revoked: z.array(revocation.pick({ serial: true, kind: true, at: true, expiresAt: true })).optional(),
  // An agent of an earlier version sends none.
  credentials: z
    .array(z.object({ application: name, generation: positive, sealed: text, clientPassword: positive.default(1) }))
    .default([]),
  databaseAgents: z.array(z.object({ node: name, address: name, hostName: name })),
}) satisfies z.ZodType<AppNodeConfiguration>;

const topologyEnvelope = z.object({ topology: z.unknown(), configuration: configuration.optional() });

/** Throws `TopologyError` or `ZodError`. */
export function parseTopologyMessage(value: unknown): TopologyMessage {
  const envelope = topologyEnvelope.parse(value);
  const topology = parseTopology(envelope.topology);
  return envelope.configuration === undefined ? { topology } : { topology, configuration: envelope.configuration };
}

export const agentRequests = {
  report: poolerReport,
  checkpoint: nothing,
  promise: z.strictObject({ term: positive, round: positive, forMs: positive }),
  lastWords: z.strictObject({ file: z.string().regex(/^[0-9A-F]{24}$/), offset: count }),
} as const;

export const agentAnswers = {
  // An older version does not say which round it gave.
  promise: z.object({ given: z.boolean(), round: count.default(0) }),
  lastWords: z.object({ piece: z.object({ data: z.base64(), isEnd: z.boolean() }).nullable() }),
} as const;
