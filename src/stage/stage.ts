/**
 * A whole cluster on one machine, of real processes. A stage is only a launcher: it writes what a server would have,
 * starts store and agents, and declares a small cluster. From there on the agents do what they do anywhere.
 */
import { existsSync } from 'node:fs';
import { findNode } from '../core/spec.ts';
import { isUnderstudyError, UnderstudyError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';
import { findBinaries, supportedMajors } from '../postgres/binaries.ts';
import { stageAccount, stageRoot, stageRunRoot } from './account.ts';
import { askAgents } from './agents.ts';
import { claimStage, endClaimant } from './claim.ts';
import { declare, isDeclared } from './declaration.ts';
import { forgetFaults } from './fault-strikes.ts';
import { isolate, refuseWhatCannotBe, release } from './isolation.ts';
import { endKeeper, launchKeeper } from './keeper.ts';
import { isUp, keepAgain } from './keeping.ts';
import { launchAgent } from './launch.ts';
import { chooseNetwork } from './network.ts';
import { writeNodeFiles, writePeople } from './node-files.ts';
import { makeNodeHome, prepare } from './premises.ts';
import { endProcesses, endStrays, type StageProcessKind } from './processes.ts';
import { publishCertificates } from './publication.ts';
import { untilReady } from './readiness.ts';
import { findStage, requireStage, type StageNode, type StageRecord, saveRecord, stageDirectory } from './record.ts';
import { endRemains, endStage, removeFiles } from './remains.ts';
import { stageAuthority } from './stage-authority.ts';
import { enrolAgents, startStore } from './store.ts';
import { refuseIdleWitness, storePlaces, storeWarning } from './store-places.ts';
import { chooseRoutedNetwork } from './wiring.ts';

export interface StageRequest {
  readonly directory: string;
  /** The bundle that the agents run; copied into the stage. */
  readonly program: string;
  readonly nodes: number;
  readonly appNodes: number;
  /** A host beside two database nodes that only votes in the store. */
  readonly witness?: boolean;
  /** Every host in a network namespace of its own; only root may. */
  readonly namespaces?: boolean;
  /** Every data directory on a file system of its own, of this size; only root may. */
  readonly diskMb?: number | null;
  /** Whose data it goes on with; left out: a fresh one. */
  readonly recovered?: Recovered;
  readonly clock: Clock;
  readonly report: (line: string) => void;
  /** Called before what was started is ended, when it fails half way. */
  readonly onAbandon?: () => void;
  readonly signal?: AbortSignal;
}

export interface Recovered {
  readonly cluster: string;
  readonly major: number;
  /** Fills the first database node's directory and the store, before any agent runs. */
  begin(record: StageRecord): Promise<void>;
}

export interface StageUp {
  readonly record: StageRecord;
  /** It was up, and only lacked its keeper. */
  readonly keeperStarted: boolean;
}

/**
 * Returns when the cluster is healthy; of one that was up it starts the keeper, when that is missing. What fails half way
 * leaves no process running, and a stage that was up before as it was. Throws STAGE_EXISTS, STAGE_FAILED, REFUSED,
 * PROCESS_FAILED, PORT_IN_USE, POSTGRES_BINARIES_MISSING, and what the signal's abort throws.
 */
export async function stageUp(request: StageRequest): Promise<StageUp> {
  const { directory } = request;
  const release = claimStage(directory);
  try {
    const existing = findStage(directory);
    // One that was killed while it came up may have agents, but no declaration: it is gone on with.
    if (existing !== null && (await isUp(existing, request))) {
      await keepAgain(existing, directory);
      return { record: existing, keeperStarted: true };
    }
    await refuseWhatCannotBe(existing, request);
    return { record: await bringUpOrAbandon(existing, request), keeperStarted: false };
  } finally {
    release();
  }
}

async function bringUpOrAbandon(existing: StageRecord | null, request: StageRequest): Promise<StageRecord> {
  try {
    const record = await bringUp(existing, request);
    request.signal?.throwIfAborted();
    return record;
  } catch (error) {
    request.onAbandon?.();
    await abandonStage(request.directory, request.clock);
    throw error;
  }
}

async function bringUp(existing: StageRecord | null, request: StageRequest): Promise<StageRecord> {
  // Someone removed the files of a stage that ran: it would be taken for this one.
  if (existing === null) await endStrays(stageRoot(request.directory, await stageAccount()), request.clock);
  const record = existing ?? (await newRecord(request));
  const major = request.recovered?.major ?? (await installedMajor());
  await prepare(record, request);
  await isolate(record, request.clock);
  await startStore(record, request);
  await publishCertificates(record, request.clock);
  request.report('store: etcd is up, with users and roles');
  const warning = storeWarning(record);
  if (warning !== null) request.report(warning);
  if (existing === null) await request.recovered?.begin(record);
  for (const node of record.nodes) await launchAgent(record, node);
  await launchKeeper(record, request.directory);
  if ((await isDeclared(record, request)) !== 'yes') await declare(record, major, request);
  await untilReady(record, request);
  return record;
}

async function abandonStage(directory: string, clock: Clock): Promise<void> {
  const record = findStage(directory);
  if (record === null || !existsSync(record.root)) return;
  await endKeeper(record, clock);
  await forgetFaults(record);
  await endProcesses(record, clock);
  await release(record, clock);
}

export interface StageEnd {
  /** How many processes. */
  readonly ended: number;
  /** Of a record that can't be read. */
  readonly damage: UnderstudyError | null;
}

/** Ends every process; with `purge` every file goes too. `null`: there was no stage. Throws STAGE_FAILED. */
export async function stageDown(request: {
  readonly directory: string;
  readonly purge: boolean;
  readonly clock: Clock;
}): Promise<StageEnd | null> {
  const { directory, purge, clock } = request;
  await endClaimant(directory, clock);
  const { record, damage } = readStage(directory);
  if (record === null) {
    const ended = await endRemains(request);
    if (damage !== null && purge) removeFiles([stageDirectory(directory)]);
    return ended === null && damage === null ? null : { ended: ended ?? 0, damage };
  }
  const ended = await endStage(record, clock);
  if (purge) removeFiles([record.root, record.run, stageDirectory(directory)]);
  return { ended, damage };
}

function readStage(directory: string): {
  readonly record: StageRecord | null;
  readonly damage: UnderstudyError | null;
} {
  try {
    return { record: findStage(directory), damage: null };
  } catch (error) {
    if (!isUnderstudyError(error, 'CONFIG_INVALID')) throw error;
    return { record: null, damage: error };
  }
}

/**
 * Ends what acts: the keeper, agents and servers. Store, poolers and hosts go on; `stageUp` starts the rest again. Answers how many
 * processes it ended. Throws STAGE_MISSING.
 */
export async function stageStop(request: { readonly directory: string; readonly clock: Clock }): Promise<number> {
  const record = requireStage(request.directory);
  await endKeeper(record, request.clock);
  const stays: readonly StageProcessKind[] = ['store', 'pooler', 'namespace'];
  return await endProcesses(record, request.clock, ({ kind }) => !stays.includes(kind));
}

/** Starts the agent of a node that the spec names and the stage has not. Throws NOT_FOUND, STAGE_MISSING. */
export async function stageJoin(request: {
  readonly directory: string;
  readonly node: string;
  readonly clock: Clock;
}): Promise<StageNode> {
  const record = requireStage(request.directory);
  const spec = (await askAgents(record, (client) => client.spec())).spec;
  const declared = findNode(spec, request.node);
  if (declared === undefined) {
    throw new UnderstudyError('NOT_FOUND', `the spec names no node ${request.node}`, {
      hint: 'add it to the cluster file and apply that first',
    });
  }
  const node = { name: declared.name, role: declared.role, address: declared.address };
  const next = withNode(requireStage(request.directory), node);
  saveRecord(next, request.directory);
  const authority = await stageAuthority(next);
  if (node.role !== 'app') {
    makeNodeHome(next, node);
    await enrolAgents(next, request.clock);
  }
  await writeNodeFiles(next, node, authority);
  await publishCertificates(next, request.clock);
  await writePeople(next, authority);
  await isolate(next, request.clock);
  await launchAgent(next, node);
  return node;
}

/** One that is there already keeps its place: store members are counted in that order. */
function withNode(record: StageRecord, node: StageNode): StageRecord {
  const isThere = record.nodes.some((other) => other.name === node.name);
  const nodes = isThere
    ? record.nodes.map((other) => (other.name === node.name ? node : other))
    : [...record.nodes, node];
  return { ...record, nodes };
}

async function newRecord(request: StageRequest): Promise<StageRecord> {
  refuseIdleWitness(request);
  const witnesses = request.witness === true ? 1 : 0;
  const user = await stageAccount();
  const root = stageRoot(request.directory, user);
  const namespaces = request.namespaces === true;
  const network = namespaces
    ? chooseRoutedNetwork(request.directory)
    : await chooseNetwork(request.directory, request.nodes + witnesses + request.appNodes);
  const named = (prefix: string, role: StageNode['role'], count: number, offset: number): StageNode[] =>
    Array.from({ length: count }, (_, index) => ({
      name: `${prefix}${index + 1}`,
      role,
      address: `${network}.${offset + index + 1}`,
    }));
  const nodes = [
    ...named('db', 'database', request.nodes, 0),
    ...named('witness', 'witness', witnesses, 30),
    ...named('app', 'app', request.appNodes, 100),
  ];
  return {
    version: 1,
    cluster: request.recovered?.cluster ?? 'stage',
    domain: 'stage.internal',
    root,
    run: stageRunRoot(request.directory, root),
    network,
    namespaces,
    diskMb: request.diskMb ?? null,
    user,
    ...storePlaces(nodes, { network, namespaces }),
    nodes,
  };
}

async function installedMajor(): Promise<number> {
  let last: unknown = null;
  for (let major: number = supportedMajors.to; major >= supportedMajors.from; major -= 1) {
    try {
      await findBinaries(major, null);
      return major;
    } catch (error) {
      last = error;
    }
  }
  throw new UnderstudyError('POSTGRES_BINARIES_MISSING', 'no PostgreSQL server is installed', { cause: last });
}
