/**
 * The repository of one cluster by pgBackRest, seen from one node (ports/repository.ts).
 *
 * Invariant: what belongs to another cluster is never written to and nothing in it expires: every act that writes looks first
 * (looking.ts). Acts that write follow each other, since pgBackRest refuses the second.
 */
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { asHeld } from '../core/backups/emptied.ts';
import { type PathPart, pathOfHistory } from '../core/backups/timeline-path.ts';
import type { ArchivedRange, RepositoryContents } from '../core/repository.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { ActOptions } from '../ports/postgres.ts';
import type {
  Repository,
  RepositoryBackupKind,
  RepositoryConfiguration,
  TransferProgress,
} from '../ports/repository.ts';
import { InTurn } from '../timing/in-turn.ts';
import { ArchiveListing, type ListFolder, newestHistory, newestRoot } from './archive-listing.ts';
import { type LocalServer, repositoryFiles } from './configuration-file.ts';
import { failure } from './failures.ts';
import { removeFiles, writeFiles } from './files.ts';
import { type CommandResult, createInvoker, type Invocation } from './invocation.ts';
import { newestTime } from './listed-times.ts';
import { Looking, lookIoTimeoutS, wholeUpToBytes } from './looking.ts';
import { archiveCommands, repositoryPaths, restoreCommandOf, restoreWork, stanzaName } from './paths.ts';
import { openPrimarySocket } from './primary-socket.ts';
import { findParentWatch, findProgram, type ProgramVersion, readVersion } from './program.ts';
import { ProgressReader } from './progress.ts';
import { restoreOptions } from './restore-options.ts';
import { parseVerification } from './verification.ts';

export interface RepositoryOptions {
  readonly cluster: string;
  readonly major: number;
  readonly server: LocalServer;
  /** The agent's own. */
  readonly stateDirectory: string;
  /** By which the primary is reached from a standby (src/passage/); left out: this node makes no backups. */
  readonly passage?: string;
  /** Somebody else configures it, as the agent of this node does: what is there already is gone by. */
  readonly isKeptByOther?: boolean;
}

/** How long a backup waits for a segment to be archived: the archiver may have a whole outage to send before it. In s. */
const backupArchiveTimeoutS = 900;

const toldByLine = ['--log-level-console=detail', '--no-log-timestamp'];

/** A process with a number takes no lock of this host: who may serve a backup is decided elsewhere. */
const servedSo = ['--remote-type=pg', '--process=1', '--log-level-stderr=error'];

class PgbackrestRepository implements Repository {
  readonly commands;
  readonly stanza: string;
  readonly dataDirectory: string;
  readonly #options: RepositoryOptions;
  readonly #path: string | null;
  readonly #paths;
  readonly #invoker;
  readonly #looking;
  readonly #writing = new InTurn();
  #version: ProgramVersion | null = null;
  #listing: ArchiveListing | null = null;
  #isConfigured = false;

  constructor(options: RepositoryOptions) {
    this.#options = options;
    this.dataDirectory = options.server.dataDirectory;
    this.stanza = stanzaName(options.cluster, options.major);
    this.#paths = repositoryPaths(options.stateDirectory);
    this.#path = findProgram();
    // Without the program the archiver fails, and the WAL is kept.
    const program = this.#path ?? 'pgbackrest';
    this.commands = archiveCommands(program, this.#paths, this.stanza);
    const { configuration } = this.#paths;
    this.#isConfigured = options.isKeptByOther === true && existsSync(configuration);
    this.#invoker = createInvoker({ program, parentWatch: findParentWatch(), configuration, stanza: this.stanza });
    this.#looking = new Looking(this.#invoker, options.server.dataDirectory);
  }

  async program() {
    return { path: this.#path ?? '', version: (await this.#found()).text };
  }

  /** Throws REPOSITORY_BINARIES_MISSING. */
  async #found(): Promise<ProgramVersion> {
    this.#version ??= await readVersion(this.#path);
    return this.#version;
  }

  async configure(configuration: RepositoryConfiguration): Promise<boolean> {
    const version = await this.#found();
    const { server } = this.#options;
    refuseWithin(server.dataDirectory, configuration);
    const files = repositoryFiles(configuration, server, this.stanza, this.#paths, version);
    const { directory, spool, locks, log } = this.#paths;
    const changed = writeFiles([directory, spool, locks, log], files, [this.#paths.gcsKey, this.#paths.sftpKey]);
    if (changed) this.#listing = null;
    this.#isConfigured = true;
    return changed;
  }

  forget(): Promise<void> {
    const { configuration, gcsKey, sftpKey } = this.#paths;
    removeFiles([configuration, gcsKey, sftpKey]);
    this.#isConfigured = false;
    return Promise.resolve();
  }

  async contents(options: ActOptions): Promise<RepositoryContents> {
    this.#configured();
    return await this.#looking.contents(options);
  }

  async archivedRanges(segmentBytes: number, options: ActOptions): Promise<readonly ArchivedRange[]> {
    this.#configured();
    const nowMs = (): number => performance.now();
    this.#listing ??= new ArchiveListing(this.stanza, (...asked) => this.#list(...asked, options), nowMs);
    return await this.#listing.ranges(segmentBytes);
  }

  async newestPath(options: ActOptions): Promise<readonly PathPart[]> {
    this.#configured();
    const newest = await newestHistory(this.stanza, (...asked) => this.#list(...asked, options));
    if (newest === null) return [];
    const { stdout } = await this.#act('repo-get', [newest.path], options);
    return pathOfHistory(newest.timeline, stdout);
  }

  async archivedAt(segment: string, options: ActOptions): Promise<string | null> {
    this.#configured();
    const root = await newestRoot(this.stanza, (...asked) => this.#list(...asked, options));
    if (root === null) return null;
    const folder = `${root}/${segment.slice(0, 16)}`;
    const { stdout } = await this.#act('repo-ls', ['--output=json', `--filter=^${segment}-`, folder], options);
    return newestTime(stdout);
  }

  async #list(...[path, how, onName, options]: [...Parameters<ListFolder>, ActOptions]): Promise<void> {
    let rest = '';
    const withinMs = Math.min(options.withinMs, how.withinMs ?? options.withinMs);
    const onStdout = (chunk: string): void => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) onName(line);
    };
    const more = ['--output=text', `--io-timeout=${lookIoTimeoutS}`, ...(how.deep ? ['--recurse'] : []), path];
    await this.#act('repo-ls', more, { ...options, withinMs, onStdout });
    if (rest !== '') onName(rest);
  }

  async createStanza({ hadAny = false, ...options }: Parameters<Repository['createStanza']>[0]): Promise<void> {
    const { state, trouble } = asHeld(await this.#requireOwn(options), hadAny);
    if (state === 'unreachable') throw new UnderstudyError('REPOSITORY_UNREACHABLE', trouble ?? '');
    if (state !== 'ok') await this.#writing.run(() => this.#act('stanza-create', [], options));
  }

  backup(...args: Parameters<Repository['backup']>) {
    return this.#writing.run(() => this.#backup(...args));
  }

  async #backup(...[kind, onProgress, options]: Parameters<Repository['backup']>) {
    await this.#requireOwn(options);
    const { dialPrimary } = options;
    const { passage } = this.#options;
    if (dialPrimary === undefined) return await this.#copy(kind, onProgress, options, []);
    if (passage === undefined) throw new UnderstudyError('BACKUP_FAILED', 'there is no way to a primary from here');
    // Before anything is begun: it may be refused.
    const first = await dialPrimary();
    const socket = await openPrimarySocket(this.#paths, passage, { first, dialPrimary });
    try {
      return await this.#copy(kind, onProgress, options, socket.options);
    } catch (error) {
      // pgBackRest knows only that nobody answered.
      throw socket.failure ?? error;
    } finally {
      socket.close();
    }
  }

  async #copy(
    kind: RepositoryBackupKind,
    onProgress: (progress: TransferProgress) => void,
    options: ActOptions,
    where: readonly string[],
  ) {
    const progress = new ProgressReader(onProgress);
    const type = { full: 'full', differential: 'diff' }[kind];
    const more = [...where, `--type=${type}`, `--archive-timeout=${backupArchiveTimeoutS}`, ...toldByLine];
    await this.#act('backup', more, { ...options, onStdout: (chunk) => progress.read(chunk) });
    const made = (await this.contents(options)).backups.at(-1);
    if (made === undefined) throw new UnderstudyError('BACKUP_FAILED', 'the backup that was made is not there');
    return made;
  }

  async serve(...[connection, options]: Parameters<Repository['serve']>) {
    this.#configured();
    const result = await this.#invoker.join('backup:remote', servedSo, connection, options);
    if (result.code !== 0 && !result.wasEnded) throw failure('BACKUP_FAILED', { ...result, stdout: '' });
  }

  expire(options: ActOptions): Promise<readonly string[]> {
    return this.#writing.run(() => this.#expire(options));
  }

  async #expire(options: ActOptions): Promise<readonly string[]> {
    const before = await this.#requireOwn(options);
    if (before.state === 'empty') return [];
    await this.#act('expire', [], options);
    const left = new Set((await this.#requireOwn(options)).backups.map(({ label }) => label));
    return before.backups.map(({ label }) => label).filter((label) => !left.has(label));
  }

  async verify(...[onProgress, options]: Parameters<Repository['verify']>) {
    const { backups } = await this.#requireOwn(options);
    // pgBackRest tells nothing until it has read everything.
    onProgress({ bytesDone: 0, bytesTotal: backups.reduce((sum, { repositoryBytes }) => sum + repositoryBytes, 0) });
    const result = await this.#act('verify', ['--output=text', '--verbose'], { ...options, wholeUpToBytes });
    const verification = parseVerification(result.stdout);
    if (verification !== null) return verification;
    // It answers so, and with exit code 0, when it could read nothing.
    await this.#requireOwn(options);
    throw new UnderstudyError(
      'BACKUP_FAILED',
      'what the repository says of itself (backup.info, archive.info) is missing',
    );
  }

  restoreCommand(into: string): string {
    return restoreCommandOf(this.#path ?? 'pgbackrest', this.#paths, this.stanza, into);
  }

  async restore(...[request, onProgress, options]: Parameters<Repository['restore']>) {
    this.#configured();
    const { into, isIdle = false } = request;
    const command = this.restoreCommand(into);
    const progress = new ProgressReader(onProgress);
    const work = restoreWork(this.#paths, into);
    mkdirSync(into, { recursive: true, mode: 0o700 });
    const invocation = { ...options, isIdle, onStdout: (chunk: string) => progress.read(chunk) };
    const how = [...restoreOptions(request, command, work), ...toldByLine];
    const result = await this.#invoker
      .run('restore', how, invocation)
      .finally(() => rmSync(work, { recursive: true, force: true }));
    if (result.code !== 0) throw await this.#looking.explain('RESTORE_FAILED', result, options);
  }

  /** Throws as `Looking.own` does. */
  async #requireOwn(options: ActOptions): Promise<RepositoryContents> {
    this.#configured();
    return await this.#looking.own(options);
  }

  #configured(): void {
    if (this.#isConfigured) return;
    throw new UnderstudyError('REPOSITORY_UNCONFIGURED', 'this node has no secret of the repository yet');
  }

  async #act(command: string, more: readonly string[], invocation: Invocation): Promise<CommandResult> {
    this.#configured();
    const result = await this.#invoker.run(command, more, invocation);
    if (result.code !== 0) throw await this.#looking.explain('BACKUP_FAILED', result, invocation);
    return result;
  }
}

/** The declaration may leave it to the node where its data lies. Throws REPOSITORY_UNCONFIGURED. */
function refuseWithin(data: string, { backups: { to } }: RepositoryConfiguration): void {
  if (to.kind !== 'directory' || !`${to.path}/`.startsWith(`${data}/`)) return;
  const message = `the repository, ${to.path}, lies in the data directory of this node, and would be lost with it`;
  throw new UnderstudyError('REPOSITORY_UNCONFIGURED', message);
}

export function createRepository(options: RepositoryOptions): Repository {
  return new PgbackrestRepository(options);
}
