/** The adapters of the PostgreSQL of this host: its fence, its processes, its disk. */
import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { findNode, type Spec } from '../core/spec.ts';
import { createFence } from '../fence/client.ts';
import { createRepository } from '../pgbackrest/repository.ts';
import type { WatchedFence } from '../ports/fence.ts';
import type { Repository } from '../ports/repository.ts';
import { createPostgres } from '../postgres/postgres.ts';
import { beside, type Foundation } from './foundation.ts';

/** It lives on when the agent ends. */
export function fenceOf({ file, clock, log: says }: Foundation, data: () => string): WatchedFence {
  const { run, state, log } = file.directories;
  const program = beside('fence.mjs');
  const files = { socket: join(run, 'fence.sock'), memory: join(state, 'fence.json'), logFile: join(log, 'fence.log') };
  const fence = createFence({ program, data, ...files, watchdog: file.watchdog ?? null }, clock);
  fence.onLost((because) => says.warn({ because }, 'the fence was lost: another is started'));
  return fence;
}

export function localPostgres(
  { file, clock }: Foundation,
  spec: Spec,
  parts: { readonly fence: WatchedFence; readonly revocationList: () => string | null },
) {
  const address = findNode(spec, file.node)?.address ?? file.api.address;
  return createPostgres({
    directories: { ...file.directories, data: spec.postgres.dataDirectory ?? file.directories.data },
    major: spec.postgres.major,
    binaryDirectory: file.binaries.postgres ?? spec.postgres.binaryDirectory,
    node: file.node,
    domain: file.domain,
    address,
    port: spec.postgres.port,
    tls: file.tls,
    clock,
    ...parts,
  });
}

/** Made once for each major version and place of the data. */
export function localRepositories({ file }: Foundation): (spec: Spec) => Repository {
  const made = new Map<string, Repository>();
  return ({ postgres: { dataDirectory, major, port } }) => {
    const data = dataDirectory ?? file.directories.data;
    const key = `${major} ${port} ${data}`;
    const repository =
      made.get(key) ??
      createRepository({
        cluster: file.cluster,
        major,
        server: { dataDirectory: data, socketDirectory: file.directories.run, port },
        stateDirectory: file.directories.state,
        passage: beside('passage.mjs'),
      });
    made.set(key, repository);
    return repository;
  };
}

export async function diskFreeBytes(directory: string): Promise<number | null> {
  for (const path of [directory, join(directory, '..')]) {
    const facts = await statfs(path).catch(() => null); // not made yet
    if (facts !== null) return facts.bavail * facts.bsize;
  }
  return null;
}
