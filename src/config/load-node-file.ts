/**
 * Reads the node file. Strict: a mistake is named by file, line and column, with what would be right.
 */
import { readFileSync } from 'node:fs';
import { type Document, LineCounter, parseDocument, stringify } from 'yaml';
import { z } from 'zod';
import { describeError, UnderstudyError } from '../errors/understudy-error.ts';
import type { NodeFile } from './node-file.ts';
import { defaultApiPort } from './node-file.ts';
import { unbearablePaths } from './node-paths.ts';
import { findExcess } from './yaml-limits.ts';
import { placeInText } from './yaml-text.ts';

const path = z.string().startsWith('/', 'an absolute path is needed');
const port = z.int().min(1).max(65_535);

const schema = z.strictObject({
  cluster: z.string().min(1),
  domain: z.string().min(1),
  node: z.string().min(1),
  role: z.enum(['database', 'app', 'witness']),
  api: z.strictObject({
    address: z.string().min(1),
    port: port.default(defaultApiPort),
    enrolmentPort: port.optional(),
  }),
  directories: z.strictObject({
    data: path,
    run: path,
    log: path,
    state: path,
    apps: path.optional(),
    certificates: path.optional(),
  }),
  tls: z.strictObject({
    ca: path,
    certificate: path,
    key: path,
    sealing: z.strictObject({ certificate: path, key: path }).optional(),
  }),
  store: z
    .strictObject({
      endpoints: z.array(z.url({ protocol: /^https$/ })).min(1),
      ca: path,
      certificate: path,
      key: path,
      user: z.string().min(1),
      passwordFile: path,
      server: z.strictObject({ certificate: path, key: path }).optional(),
    })
    .nullable()
    .default(null),
  databaseAgents: z.array(z.strictObject({ node: z.string().min(1), address: z.string().min(1) })).default([]),
  binaries: z
    .strictObject({ postgres: path.nullable().default(null), pgbouncer: path.nullable().default(null) })
    .default({ postgres: null, pgbouncer: null }),
  pooler: z
    .strictObject({
      listenAddress: z.string().min(1),
      plainFrom: z.array(z.union([z.cidrv4(), z.cidrv6()], 'must be a network such as 10.0.0.9/32')).default([]),
    })
    .default({ listenAddress: '127.0.0.1', plainFrom: [] }),
  watchdog: path.nullable().default(null),
  divergedWal: z
    .strictObject({ maxMb: z.int().min(0), keepDays: z.int().min(7) })
    .nullable()
    .default(null),
}) satisfies z.ZodType<NodeFile>;

/** Throws CONFIG_UNREADABLE, CONFIG_INVALID. */
export function loadNodeFile(file: string): NodeFile {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new UnderstudyError('CONFIG_UNREADABLE', `${file} can't be read: ${describeError(error)}`);
  }
  return parseNodeFile(text, file);
}

/** Throws CONFIG_INVALID. */
export function parseNodeFile(text: string, file: string): NodeFile {
  const excess = findExcess(text);
  if (excess !== null) {
    const { line, column } = placeInText(text, excess.offset);
    throw new UnderstudyError('CONFIG_INVALID', `${file}:${line}:${column} ${excess.message}`);
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const [mistake] = document.errors;
  if (mistake !== undefined) {
    const { line, col } = lines.linePos(mistake.pos[0]);
    throw new UnderstudyError('CONFIG_INVALID', `${file}:${line}:${col} ${mistake.message.split('\n')[0]}`);
  }
  const value = plainValue(document, file);
  if (value === null || value === undefined) throw new UnderstudyError('CONFIG_INVALID', `${file}: the file is empty`);
  const result = schema.safeParse(value);
  const wrong = result.success ? unbearablePaths(result.data) : result.error.issues;
  if (!result.success || wrong.length > 0) {
    const texts = wrong.map(({ path, message }) => {
      const node = document.getIn(path, true) ?? document.getIn(path.slice(0, -1), true);
      const offset =
        typeof node === 'object' && node !== null && 'range' in node && Array.isArray(node.range)
          ? Number(node.range[0])
          : 0;
      const { line, col } = lines.linePos(offset);
      const subject = path.length === 0 ? '' : `${path.join('.')}: `;
      return `${file}:${line}:${col} ${subject}${message}`;
    });
    throw new UnderstudyError('CONFIG_INVALID', texts.join('\n'));
  }
  const node = result.data;
  if (node.role !== 'app' && node.store === null) {
    throw new UnderstudyError('CONFIG_INVALID', `${file}: a ${node.role} node needs a \`store\` section`);
  }
  if (node.role === 'app' && node.databaseAgents.length === 0) {
    throw new UnderstudyError('CONFIG_INVALID', `${file}: an app node needs at least one of \`databaseAgents\``);
  }
  return node;
}

/** Aliases are refused, since a few lines of them can stand for a billion values. */
function plainValue(document: Document, file: string): unknown {
  try {
    return document.toJS({ maxAliasCount: 0 });
  } catch (error) {
    throw new UnderstudyError('CONFIG_INVALID', `${file}: it can't be read: ${describeError(error)}`);
  }
}

export function renderNodeFile(node: NodeFile): string {
  return stringify(node);
}
