/** How a node or a person comes to a certificate: tokens, signing requests, and what is issued for them. */

import { z } from 'zod';
import { purposes } from '../../core/certificates.ts';
import { personForAtMostMs, secretPattern, tokenForAtLeastMs, tokenForAtMostMs } from '../../core/enrolment.ts';
import { name, positive, text } from '../../records/spec-schema.ts';
import type {
  EnrolmentGrant,
  EnrolmentRequest,
  PersonAnswer,
  PersonRequest,
  TokenAnswer,
  TokenRequest,
} from '../contract/enrolment.ts';

/** A signing request of ours has 400 bytes. */
const certificateWish = z.strictObject({
  purpose: z.enum(purposes),
  request: z.string().max(16_384),
  name: name.optional(),
});

function isEachOnce(wishes: readonly z.infer<typeof certificateWish>[]): boolean {
  return new Set(wishes.map(({ purpose, name: own }) => `${purpose} ${own ?? ''}`)).size === wishes.length;
}

const nodeRole = z.enum(['database', 'app', 'witness']);

const token = z.strictObject({
  node: name,
  role: nodeRole.nullable(),
  forMs: positive.min(tokenForAtLeastMs).max(tokenForAtMostMs),
  digest: z.string().regex(/^[0-9a-f]{64}$/, 'SHA-256 in hex'),
}) satisfies z.ZodType<TokenRequest>;

const person = z.strictObject({
  role: z.enum(['operator', 'viewer']),
  name: name.max(50),
  lifeMs: positive.max(personForAtMostMs),
  request: z.string().max(4_096),
}) satisfies z.ZodType<PersonRequest>;

/** An own certificate is asked for later, by whoever has a certificate of his own. */
const enrolmentWish = z.strictObject({
  purpose: z.enum(['node', 'store-client', 'store-server', 'sealing']),
  request: z.string().max(4_096),
});

const enrol = z.strictObject({
  node: name,
  secret: z.string().regex(secretPattern, 'must be the secret of a token'),
  wishes: z.array(enrolmentWish).min(1).max(4),
}) satisfies z.ZodType<EnrolmentRequest>;

const chain = z.string().max(65_536);

const issued = z.array(z.object({ purpose: z.enum(purposes), chain }));

const enrolment = z.object({
  issued,
  caPem: chain,
  address: name,
  apiPort: z.int().min(1).max(65_535),
  databaseAgents: z.array(z.object({ node: name, address: name })),
  storeEndpoints: z.array(text),
  storeCaFile: text.nullable(),
  dataDirectory: text.nullable(),
}) satisfies z.ZodType<EnrolmentGrant>;

const tokenAnswer = z.object({
  node: name,
  role: nodeRole,
  expiresAt: text,
  addresses: z.array(text),
}) satisfies z.ZodType<TokenAnswer>;

export const enrolmentRequests = {
  token,
  person,
  enrol,
  certificate: z.strictObject({
    wishes: z.array(certificateWish).min(1).max(purposes.length).refine(isEachOnce, 'a certificate is asked for twice'),
  }),
} as const;

export const enrolmentAnswers = {
  certificate: z.object({ issued }),
  token: tokenAnswer,
  person: z.object({ chain, caPem: chain }) satisfies z.ZodType<PersonAnswer>,
  enrolment,
  enrolmentAuthority: z.object({ cluster: name, caPem: chain }),
} as const;
