/** Databases, and the passwords by which poolers log in to them. */

import { z } from 'zod';
import type { DatabaseState } from '../../core/applied.ts';
import { count, name, positive, text } from '../../records/spec-schema.ts';
import type {
  CredentialListing,
  DropAnswer,
  DropRequest,
  RevertRequest,
  RotationRequest,
} from '../contract/databases.ts';
import { accepted } from './orders.ts';

const rotateCredentials = z.strictObject({
  application: name.nullable(),
  node: name.nullable(),
  // Absent from who knows of logins alone.
  what: z.enum(['login', 'client-password']).default('login'),
  force: z.boolean().default(false),
}) satisfies z.ZodType<RotationRequest>;

const revertDatabases = z.strictObject({ name: text.max(500).nullable() }) satisfies z.ZodType<RevertRequest>;

const dropDatabase = z.strictObject({ name }) satisfies z.ZodType<DropRequest>;

const credentialListing = z.object({
  application: name,
  node: name,
  generation: positive.nullable(),
  wanted: positive.nullable(),
  inUse: count.nullable(),
  issuedAt: text.nullable(),
  issuedBy: name.nullable(),
  isSealable: z.boolean(),
  clientPassword: z
    .object({ wanted: positive, inUse: z.object({ told: positive, former: count }).nullable() })
    .nullable()
    .default(null),
}) satisfies z.ZodType<CredentialListing>;

const databases = z.object({
  drift: z.array(
    z.object({
      name: text,
      kind: z.enum(['changed', 'given', 'kept', 'fixed']),
      actual: text.nullable(),
      declared: text.nullable(),
    }),
  ),
  retired: z.array(text),
  leftovers: z.array(z.object({ database: text, roles: z.array(text) })).default([]),
  found: z.array(z.object({ name: text, encoding: text, locale: text })).default([]),
  // An agent of an earlier version has no word for it.
  troubles: z.array(text).default([]),
}) satisfies z.ZodType<DatabaseState>;

const dropAnswer = z.object({
  database: text,
  roles: z.array(text),
  kept: z.array(text),
}) satisfies z.ZodType<DropAnswer>;

export const databaseRequests = { rotateCredentials, revertDatabases, dropDatabase } as const;

export const databaseAnswers = {
  credentials: z.array(credentialListing),
  rotateCredentials: z.object({ ordered: z.array(z.object({ application: name, node: name, generation: positive })) }),
  databases,
  revertDatabases: accepted,
  dropDatabase: dropAnswer,
} as const;
