/**
 * The context file: which cluster the command line speaks to, and as whom.
 *
 * It is looked for in this order: `--context FILE`, UNDERSTUDY_CONTEXT, the stage of the current directory,
 * /etc/understudy/context.json. Refuses to guess beyond that. Relative paths in it start at its own directory. In a stage's
 * directory `operator` and `viewer` name the files of the people that it made credentials for.
 */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, isAbsolute, resolve } from 'node:path';
import { z } from 'zod';
import { describeError, UnderstudyError } from '../errors/understudy-error.ts';
import { contextFile, findStage, stagePeople } from '../stage/record.ts';
import type { CliIo } from './terminal.ts';

const port = z.int().min(1).max(65_535);
const text = z.string().min(1);

export const contextSchema = z.object({
  cluster: text,
  /** A node's certificate is verified as `<node>.<domain>`. */
  domain: text,
  agents: z
    .array(z.object({ node: text, role: z.enum(['database', 'app', 'witness']), address: text, port }))
    .refine((agents) => agents.some((agent) => agent.role === 'database'), 'at least one database agent is needed'),
  /** The certificate and key of an operator or a viewer, and the authority that signed the agents'. */
  tls: z.object({ ca: text, certificate: text, key: text }),
  /** App nodes of this machine, each with the directory of its applications' files: `understudy uri` reads them. */
  apps: z.array(z.object({ node: text, address: text, files: text })).default([]),
});

export type Context = z.infer<typeof contextSchema>;
export type ContextAgent = Context['agents'][number];

export const systemContextFile = '/etc/understudy/context.json';

export interface ContextPlace {
  readonly named: string | undefined;
  readonly io: Pick<CliIo, 'env' | 'cwd'>;
}

/** `null`: none was named, and there is none in the usual places. */
export function findContextFile({ named, io }: ContextPlace): string | null {
  const wanted = named ?? io.env.UNDERSTUDY_CONTEXT;
  const person = stagePeople.find((one) => one === wanted);
  // A directory that was removed is missed only where it matters.
  if (wanted !== undefined && wanted !== '' && person === undefined)
    return resolve(isAbsolute(wanted) ? '/' : io.cwd, wanted);
  const stage = findStage(io.cwd);
  if (stage !== null) return contextFile(stage, person);
  if (person !== undefined) return resolve(io.cwd, person);
  return existsSync(systemContextFile) ? systemContextFile : null;
}

/** Throws CONFIG_UNREADABLE when there is none or it may not be read, CONFIG_INVALID when it is not as it must be. */
export function loadContext(place: ContextPlace): Context {
  const file = findContextFile(place);
  if (file === null) {
    throw new UnderstudyError(
      'CONFIG_UNREADABLE',
      `no cluster is named, ${place.io.cwd} has no stage, and there is no ${systemContextFile}`,
      {
        hint: 'understudy stage up starts one here; or name a context file with --context or UNDERSTUDY_CONTEXT',
      },
    );
  }
  return parseContext(readContext(file), file);
}

function readContext(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new UnderstudyError('CONFIG_UNREADABLE', `the context file can't be read: ${describeError(cause)}`, {
      cause,
    });
  }
}

export function parseContext(content: string, file: string): Context {
  let value: unknown;
  try {
    value = JSON.parse(content);
  } catch (error) {
    throw new UnderstudyError('CONFIG_INVALID', `${file}: ${describeError(error)}`);
  }
  const result = contextSchema.safeParse(value);
  if (!result.success) {
    const lines = result.error.issues.map((issue) => `${file} ${issue.path.join('.')}: ${issue.message}`);
    throw new UnderstudyError('CONFIG_INVALID', lines.join('\n'));
  }
  const context = result.data;
  const from = (path: string): string => resolve(dirname(file), path);
  const { ca, certificate, key } = context.tls;
  return {
    ...context,
    tls: { ca: from(ca), certificate: from(certificate), key: from(key) },
    apps: context.apps.map((app) => ({ ...app, files: from(app.files) })),
  };
}
