/**
 * A stage that goes on with a cluster that is lost: its repository, its databases and its applications, on this machine's nodes.
 *
 * It archives into the same repository, on a new timeline: the cluster itself must be gone.
 */
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { renderClusterFile } from '../config/render.ts';
import type { RepositoryCredentials } from '../core/repository-secret.ts';
import { nodesOfRole, type Spec } from '../core/spec.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { run } from '../process/run.ts';
import { longestWorkMs } from '../restoring/bounds.ts';
import { demonstrationSpec } from '../stage/demonstration.ts';
import { clusterFile, nodeDirectory, type StageRecord } from '../stage/record.ts';
import type { Recovered } from '../stage/stage.ts';
import type { Call } from './call.ts';
import { readClusterFile } from './cluster-file.ts';
import { readRepositoryCredentials } from './repository-credentials.ts';
import { secretFrom } from './secret-input.ts';

export interface Lost {
  readonly spec: Spec;
  /** Absolute; `null`: the place needs none. */
  readonly credentialsFile: string | null;
  readonly credentials: RepositoryCredentials;
  readonly passphrase: string;
}

const orderWithinMs = 30_000;

export async function readLost(
  call: Call,
  wish: { readonly file: string; readonly passphraseFile?: string; readonly credentials?: string },
): Promise<Lost> {
  const { credentialsFile, spec } = readClusterFile(call, wish.file);
  if (spec.backups === null) throw new UnderstudyError('CONFIG_INVALID', `${wish.file} declares no backups`);
  const named = wish.credentials ?? credentialsFile;
  const credentials = readRepositoryCredentials(spec.backups.to, named, call.io.cwd);
  const asked = { file: wish.passphraseFile, option: '--passphrase-file', what: 'passphrase' };
  const passphrase = await secretFrom(call, asked);
  return { spec, credentials, passphrase, credentialsFile: named === null ? null : resolve(call.io.cwd, named) };
}

/** Its databases and applications, with the addresses and ports of the stage. */
function specOn(record: StageRecord, { spec }: Lost): Spec {
  const own = demonstrationSpec(record, spec.postgres.major);
  const apps = nodesOfRole(own, 'app').map(({ name }) => name);
  const applications = spec.applications.flatMap((application) => {
    const nodes = application.nodes.filter((name) => apps.includes(name));
    return nodes.length === 0 ? [] : [{ ...application, nodes }];
  });
  return { ...own, databases: spec.databases, applications, backups: spec.backups };
}

export function recoveredStage(call: Call, lost: Lost, report: (line: string) => void): Recovered {
  return {
    cluster: lost.spec.cluster,
    major: lost.spec.postgres.major,
    async begin(record) {
      const file = clusterFile(record);
      writeFileSync(file, renderClusterFile(specOn(record, lost)), { mode: 0o644 });
      const first = record.nodes.find(({ role }) => role === 'database');
      if (first === undefined) throw new UnderstudyError('STAGE_FAILED', 'the stage has no database node');
      const nodeFile = join(nodeDirectory(record, first.name), 'node.yaml');
      const from = lost.credentialsFile === null ? [] : ['--credentials', lost.credentialsFile];
      // In a process of its own: it becomes the stage's account, and this one has more to do.
      const { code, stdout, stderr } = await run(
        process.execPath,
        [call.io.program ?? '', 'recover', file, '--node-file', nodeFile, ...from, '--passphrase-file', '-', '--yes'],
        { withinMs: longestWorkMs, signal: call.signal, input: `${lost.passphrase}\n`, anyExit: true },
      );
      if (code !== 0) throw new UnderstudyError('RESTORE_FAILED', stderr.trim());
      for (const line of stdout.split('\n')) if (line.includes(': restored in ')) report(line);
    },
  };
}

/** The new nodes have the repository's files from the recovery, on one of them; each is to have them sealed to it. */
export async function giveLostSecret(call: Call, { credentials, passphrase }: Lost): Promise<void> {
  const access = await call.cluster();
  const request = { credentials, passphrase, replaces: false };
  await access.order((client, asking) => client.giveRepositorySecret(request, asking), orderWithinMs);
}
