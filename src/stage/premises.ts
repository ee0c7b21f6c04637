/**
 * Writes what every server of a stage would have: its directories, credentials and node file, and the program.
 *
 * Invariant: may be called again; what is there stays, but for the program and the files that are made from the record.
 * Starts nothing.
 */
import { chmodSync, chownSync, copyFileSync, mkdirSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { makeDirectory, storeUser, writeNodeFiles, writePeople, writeStoreMember } from './node-files.ts';
import { nodeDirectory, type StageNode, type StageRecord, saveRecord, stageDirectory, storeHosts } from './record.ts';
import { stageAuthority } from './stage-authority.ts';

interface Premises {
  readonly directory: string;
  /** The bundle that the agents run; copied into the stage. */
  readonly program: string;
}

export async function prepare(record: StageRecord, { directory, program }: Premises): Promise<void> {
  mkdirSync(stageDirectory(directory), { recursive: true, mode: 0o755 });
  makeDirectory(record, record.root, 0o755);
  makeDirectory(record, record.run, 0o755);
  saveRecord(record, directory);
  copyProgram(record, program);
  const authority = await stageAuthority(record);
  for (const node of record.nodes) {
    if (node.role !== 'app') makeNodeHome(record, node);
    await writeNodeFiles(record, node, authority);
  }
  for (const host of storeHosts(record)) await writeStoreMember(record, host, authority);
  await writePeople(record, authority);
}

/** The store's password is made before the node file names it. */
export function makeNodeHome(record: StageRecord, node: StageNode): void {
  makeDirectory(record, nodeDirectory(record, node.name), 0o750);
  makeDirectory(record, join(nodeDirectory(record, node.name), 'tls'), 0o750);
  storeUser(record, node);
}

/** Agents run a copy, so that they neither depend on the checkout being readable nor change under a new build. */
function copyProgram(record: StageRecord, program: string): void {
  const directory = join(record.root, 'program');
  mkdirSync(directory, { recursive: true });
  chmodSync(directory, 0o755);
  for (const file of readdirSync(dirname(program))) {
    if (!file.endsWith('.mjs')) continue;
    copyFileSync(join(dirname(program), file), join(directory, file));
    chmodSync(join(directory, file), 0o644);
  }
  if (process.getuid?.() === 0) chownSync(directory, record.user.uid, record.user.gid);
}
