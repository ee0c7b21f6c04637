/**
 * Finds what the agents of app nodes on this machine wrote about their applications' connections (application-files.ts).
 *
 * Asks no agent. Knows an application by its name and its nodes; which of them to take is for the caller.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describeError, UnderstudyError } from '../errors/understudy-error.ts';
import { fileNames } from './connection-texts.ts';
import { aliasOfNode, connectionUri, type PoolerConnection, readPoolerConnection } from './pooler-connection.ts';

export interface AppNode {
  readonly node: string;
  /** Where its agent writes the applications' files, a directory for each. */
  readonly files: string;
}

/** One application on one app node. */
export interface ConnectionFile {
  readonly node: string;
  readonly application: string;
  /** Of its files. */
  readonly directory: string;
  readonly file: string;
}

/** By which alias the application connects: the one that leads to the primary, one for reads on standbys, or that of one node. */
export type Purpose = 'write' | 'read' | { readonly node: string };

export interface ApplicationConnection {
  readonly uri: string;
  readonly database: string;
  readonly connection: PoolerConnection;
}

/** Throws CONFIG_UNREADABLE when one may not be read; an agent that has written nothing yet has none. */
export function connectionFiles(nodes: readonly AppNode[]): readonly ConnectionFile[] {
  return nodes.flatMap(({ node, files }) =>
    applicationsIn(files).map((application) => {
      const directory = join(files, application);
      return { node, application, directory, file: join(directory, fileNames.json) };
    }),
  );
}

/**
 * The files of one application, one for each node that runs it; which application may be left out when there is only one.
 * Throws NOT_FOUND, or REQUEST_INVALID when it has to be told.
 */
export function filesOf(
  application: string | undefined,
  found: readonly ConnectionFile[],
): readonly [ConnectionFile, ...ConnectionFile[]] {
  const names = [...new Set(found.map((each) => each.application))].sort();
  if (names.length === 0) {
    throw new UnderstudyError('NOT_FOUND', 'no application has a pooler on this machine yet', {
      hint: 'declare one under `applications` and apply that; its app node writes the connection when it knows the primary',
    });
  }
  if (application === undefined && names.length > 1) {
    throw new UnderstudyError('REQUEST_INVALID', `which application? There are ${names.join(', ')}`, {
      hint: 'add --app NAME',
    });
  }
  const wanted = application ?? names[0];
  const [first, ...others] = found.filter((each) => each.application === wanted);
  if (first !== undefined) return [first, ...others];
  throw new UnderstudyError('NOT_FOUND', `there is no application ${wanted} here`, {
    hint: `applications are ${names.join(', ')}`,
  });
}

/** Throws CONFIG_UNREADABLE, CONFIG_INVALID, and NOT_FOUND when the application has no alias for this purpose. */
export function readConnection({ application, file, node }: ConnectionFile, purpose: Purpose): ApplicationConnection {
  const connection = readPoolerConnection(contentOf(file), file);
  const database = typeof purpose === 'string' ? connection[purpose] : aliasOfNode(connection, purpose.node);
  if (database !== null) return { uri: connectionUri(connection, database), database, connection };
  if (typeof purpose === 'string')
    throw new UnderstudyError('NOT_FOUND', `${application} has no alias for ${purpose}s on ${node}`);
  throw new UnderstudyError(
    'NOT_FOUND',
    `there is no node ${purpose.node} that ${application} could reach from ${node}`,
    {
      hint: `app node here: ${node}; database nodes: ${Object.keys(connection.nodes).join(', ') || 'not told by an agent of this version'}`,
    },
  );
}

/** Those that have the file: a directory alone may be somebody else's, or unfinished. */
function applicationsIn(directory: string): readonly string[] {
  try {
    const names = readdirSync(directory).sort();
    return names.filter((name) => existsSync(join(directory, name, fileNames.json)));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw unreadable(directory, error);
  }
}

function contentOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw unreadable(file, error);
  }
}

function unreadable(path: string, cause: unknown): UnderstudyError {
  return new UnderstudyError('CONFIG_UNREADABLE', `${path} can't be read: ${describeError(cause)}`, {
    hint: 'run it as root, or as the user that these files belong to (applications.*.files)',
  });
}
