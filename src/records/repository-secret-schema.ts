/** The secret of a repository as it is sealed, and its credentials as the operator's file has them. */
import { z } from 'zod';
import type { RepositoryCredentials, RepositorySecret } from '../core/repository-secret.ts';

/** They become lines of a configuration file: what has a line break is no credential. */
const line = z.string().regex(/^[^\p{Cc}]+$/u, 'one line, and not empty');

export const repositoryCredentials = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('s3'), key: line, keySecret: line, token: line.optional() }),
  z.strictObject({ kind: z.literal('azure'), keyType: z.enum(['shared', 'sas']), key: line }),
  z.strictObject({ kind: z.literal('gcs'), serviceKey: z.string().min(1) }),
  z.strictObject({ kind: z.literal('sftp'), privateKey: z.string().min(1) }),
  z.strictObject({ kind: z.literal('none') }),
]) satisfies z.ZodType<RepositoryCredentials>;

export const repositorySecret = z.strictObject({
  passphrase: line,
  credentials: repositoryCredentials,
}) satisfies z.ZodType<RepositorySecret>;
