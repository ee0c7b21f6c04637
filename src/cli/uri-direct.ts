/**
 * `understudy uri --direct`: how a client reaches the servers themselves.
 *
 * Asks a database agent where the servers are, since nothing on this machine has to know. Names no login: whom the servers let
 * in is declared elsewhere.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { AppNode } from '../applications/connection-files.ts';
import { connectionFiles } from '../applications/connection-files.ts';
import { fileNames } from '../applications/connection-texts.ts';
import { type Direct, directConninfo, directUri, sessionAttributes } from '../applications/direct-texts.ts';
import { nodesOfRole, type Spec } from '../core/spec.ts';
import { exitCodes } from '../errors/exit-codes.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Call } from './call.ts';

export interface DirectOptions {
  readonly app?: string;
  readonly user?: string;
  readonly readOnly?: boolean;
  readonly format?: string;
}

/** `nodes`: app nodes of this machine, whose applications have the authority's certificate beside their other files. */
export async function showDirect(call: Call, options: DirectOptions, nodes: readonly AppNode[]): Promise<number> {
  const access = await call.cluster();
  const { spec } = await access.ask((client, asking) => client.spec(asking));
  const { primary } = await access.ask((client, asking) => client.status(asking));
  const servers = nodesOfRole(spec, 'database').map(({ address, name }) => ({
    name,
    address,
    port: spec.postgres.port,
  }));
  const ofPrimary = servers.filter(({ name }) => name === primary);
  const others = servers.filter(({ name }) => name !== primary);
  const purpose = options.readOnly === true ? 'read' : 'write';
  const direct: Direct = {
    hostName: `postgresql.${spec.domain}`,
    // Whom it wants first is found first.
    servers: purpose === 'write' ? [...ofPrimary, ...others] : [...others, ...ofPrimary],
    database: databaseOf(spec, options.app),
    user: options.user ?? null,
    ca: authorityOf(options.app, nodes) ?? (await call.context()).tls.ca,
    purpose,
  };
  if (call.terminal.json || options.format === 'json') call.terminal.printJson(partsOf(direct));
  else call.terminal.print(options.format === 'libpq' ? directConninfo(direct) : directUri(direct));
  return exitCodes.done;
}

function databaseOf(spec: Spec, name: string | undefined): string | null {
  if (name === undefined) return null;
  const found = spec.applications.find((application) => application.name === name);
  if (found !== undefined) return found.database;
  const names = spec.applications.map((application) => application.name).join(', ');
  throw new UnderstudyError('NOT_FOUND', `there is no application ${name}`, {
    hint: names === '' ? 'none is declared' : `applications are ${names}`,
  });
}

function authorityOf(name: string | undefined, nodes: readonly AppNode[]): string | null {
  const found = connectionFiles(nodes).find(({ application }) => name === undefined || application === name);
  const file = found === undefined ? null : join(found.directory, fileNames.authority);
  return file !== null && existsSync(file) ? file : null;
}

function partsOf(direct: Direct): Readonly<Record<string, unknown>> {
  const { ca, database, hostName, purpose, servers, user } = direct;
  return {
    uri: directUri(direct),
    libpq: directConninfo(direct),
    hosts: servers.map(({ address, port }) => ({ host: hostName, hostaddr: address, port })),
    user,
    database,
    sslmode: 'verify-full',
    sslrootcert: ca,
    targetSessionAttrs: sessionAttributes(purpose),
  };
}
