/**
 * What an agent has the issuing process do (issuing-process.ts), and what comes back: one JSON document each way, on its
 * standard input and output, since arguments and environments can be read by others.
 */
import { z } from 'zod';
import { purposes } from '../core/certificates.ts';

const name = z.string().min(1).max(253);
const pem = z.string().max(65_536);
const purpose = z.enum(purposes);

export const issuingTask = z.strictObject({
  cluster: name,
  domain: name,
  node: name,
  /** Paths: roots, and this node's own sealing certificate and key. */
  roots: z.string(),
  sealing: z.strictObject({ certificate: z.string(), key: z.string() }),
  /** The issuing key as it stands in the store, and where. */
  sealedKey: z.string(),
  nowMs: z.number(),
  /** Serial and wall clock, each. */
  revoked: z.array(z.tuple([name, z.number()])),
  work: z.discriminatedUnion('do', [
    z.strictObject({
      do: z.literal('sign'),
      wanted: z.array(
        z.strictObject({
          purpose,
          request: pem,
          node: name,
          role: z.enum(['database', 'app', 'witness']),
          addresses: z.array(name),
          lifeMs: z.number().positive(),
          ownName: name.optional(),
        }),
      ),
    }),
    z.strictObject({ do: z.literal('inspect') }),
    z.strictObject({
      do: z.literal('certify'),
      person: z.strictObject({
        role: z.enum(['operator', 'viewer']),
        name,
        request: pem,
        lifeMs: z.number().positive(),
      }),
    }),
    /** All that were revoked, in a list of the authority's. */
    z.strictObject({ do: z.literal('list') }),
    z.strictObject({ do: z.literal('share'), to: z.array(z.strictObject({ node: name, chainPem: pem })) }),
  ]),
});
export type IssuingTask = z.infer<typeof issuingTask>;

const record = z.object({
  serial: z.string(),
  kind: z.enum(['node', 'operator', 'viewer', 'store', 'store-client', 'sealer', 'recipient', 'own']),
  name,
  hostNames: z.array(z.string()),
  addresses: z.array(z.string()),
  issuer: z.string(),
  keyType: z.string(),
  issuedAt: z.string(),
  expiresAt: z.string(),
  root: z.string().optional(),
});

export const issuingAnswer = z.discriminatedUnion('outcome', [
  z.object({ outcome: z.literal('signed'), signed: z.array(z.object({ purpose, chain: pem, record })) }),
  z.object({ outcome: z.literal('certified'), chain: pem, record }),
  z.object({ outcome: z.literal('shared'), shared: z.array(z.object({ node: name, sealed: z.string() })) }),
  z.object({ outcome: z.literal('inspected'), certificatePem: pem, startsAt: z.string(), endsAt: z.string() }),
  z.object({ outcome: z.literal('listed'), authority: pem, list: z.string() }),
  z.object({ outcome: z.literal('refused'), because: z.string() }),
]);
export type IssuingAnswer = z.infer<typeof issuingAnswer>;

/** Where the issuing key of a node stands: what it was sealed for. */
export function issuingKeyPlace(node: string): string {
  return `secrets/${node}/issuing`;
}

/** What is sealed there. */
export const issuingSecret = z.strictObject({ certificatePem: pem, keyPem: pem });
