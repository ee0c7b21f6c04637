/**
 * Carries the steps out on this machine: all nodes of a stage, or the one node of a server.
 *
 * Invariant: each step looks for itself at what is there, so that it may be repeated, and refuses when the one before it
 * has not been done.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { NodeFile } from '../config/node-file.ts';
import { unreachable } from '../core/exhausted-union.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';
import { isAlive } from '../process/identity.ts';
import { endKeeper, keeperPid, launchKeeper } from '../stage/keeper.ts';
import { launchAgent } from '../stage/launch.ts';
import { endProcesses, stageProcesses } from '../stage/processes.ts';
import { nodeDirectory } from '../stage/record.ts';
import { startStore } from '../stage/store.ts';
import { type Command, commandText, perform } from './command.ts';
import { seedStore } from './new-store.ts';
import type { Place } from './place.ts';
import { whatRuns } from './processes.ts';
import { type Examined, examine, furthestFirst, type Standing } from './standing.ts';
import type { StepName } from './step-names.ts';
import {
  addressOf,
  databaseNodes,
  endRemnants,
  nodeHere,
  promote,
  psql,
  repointPoolers,
  setAside,
  startAgents,
  stopAutomation,
  stopPostgres,
} from './steps.ts';

export interface Performance {
  readonly place: Place;
  /** Which node; `null`: the furthest, or the one that is writable already. */
  readonly to: string | null;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Where the stage is. */
  readonly directory: string;
  readonly say: (line: string) => void;
  /** Told of each command before it is given. */
  readonly typed: (command: string) => void;
}

const endedWithinMs = 10_000;

export async function performStep(step: StepName, performance: Performance): Promise<void> {
  switch (step) {
    case 'stop':
      return await stop(performance);
    case 'choose':
      return void (await choose(performance));
    case 'promote':
      return await promoteFurthest(performance);
    case 'poolers':
      return await poolers(performance);
    case 'store':
      return await newStore(performance);
    case 'return':
      return await giveBack(performance);
    default:
      return unreachable(step);
  }
}

async function type({ typed, signal }: Performance, commands: readonly Command[]): Promise<string> {
  let last = '';
  for (const one of commands) {
    typed(commandText(one));
    last = await perform(one, signal);
  }
  return last.trim();
}

async function stop(performance: Performance): Promise<void> {
  const { place, clock } = performance;
  await type(performance, stopAutomation(place, place.stage === null ? null : keeperPid(place.stage)));
  if (place.stage !== null) await endKeeper(place.stage, clock);
  await type(performance, stopPostgres(place));
  await type(performance, endRemnants(place));
  const until = clock.boottimeMs() + endedWithinMs;
  const left = () => place.here.flatMap((node) => [...whatRuns(place, node).automation, ...running(place, node)]);
  while (left().some(isAlive)) {
    if (clock.boottimeMs() > until) {
      throw new UnderstudyError(
        'PROCESS_FAILED',
        `processes that did not end: ${left()
          .map(({ pid }) => pid)
          .join(', ')}`,
      );
    }
    await clock.sleep(50, performance.signal);
  }
}

function running(place: Place, node: NodeFile) {
  return node.role === 'database' ? whatRuns(place, node).postgres : [];
}

function refuseAutomation({ place }: Performance): void {
  const busy = place.here.filter((node) => whatRuns(place, node).automation.length > 0);
  if (busy.length === 0) return;
  const names = busy.map(({ node }) => node).join(', ');
  throw new UnderstudyError('REFUSED', `agents still run for ${names}: step stop comes first`);
}

function refuseServers({ place }: Performance): void {
  const busy = databaseNodes(place).filter((node) => running(place, node).length > 0);
  if (busy.length === 0) return;
  throw new UnderstudyError(
    'REFUSED',
    `PostgreSQL runs on ${busy.map(({ node }) => node).join(', ')}: step stop comes first`,
  );
}

async function examineAll({ place, signal }: Performance): Promise<readonly Examined[]> {
  const all: Examined[] = [];
  for (const node of databaseNodes(place)) all.push(await examine(place, node, signal));
  return all;
}

async function choose(performance: Performance): Promise<Standing> {
  refuseAutomation(performance);
  refuseServers(performance);
  const { to, say } = performance;
  const all = await examineAll(performance);
  for (const one of all) say(examinedText(one));
  const order = furthestFirst(all);
  const [furthest] = order;
  if (furthest === undefined) throw new UnderstudyError('REFUSED', 'no node of this machine has usable data');
  const chosen = to === null ? furthest : order.find(({ node }) => node === to);
  if (chosen === undefined) throw new UnderstudyError('REFUSED', `${to} has no usable data`);
  if (chosen.timeline !== furthest.timeline || chosen.lsn !== furthest.lsn) {
    say(`${chosen.node} is not the furthest: what ${furthest.node} has beyond it is given up`);
  }
  say(`chosen: ${chosen.node}`);
  return chosen;
}

export function examinedText(one: Examined): string {
  if (!('lsn' in one)) return `${one.node}: ${one.because}`;
  return `${one.node}: timeline ${one.timeline}, WAL to ${one.lsn}, was ${one.wasPrimary ? 'primary' : 'a standby'}`;
}

async function promoteFurthest(performance: Performance): Promise<void> {
  const { place, say } = performance;
  const chosen = await choose(performance);
  const recovery = await type(performance, promote(place, nodeHere(place, chosen.node), chosen.wasPrimary));
  if (recovery !== 'f') throw new UnderstudyError('POSTGRES_FAILED', `${chosen.node} did not become writable`);
  say(`${chosen.node} is writable at ${addressOf(place, chosen.node)}`);
}

/** The one node of this machine that accepts writes. */
async function writableHere({ place, signal, to }: Performance): Promise<NodeFile> {
  const found: NodeFile[] = [];
  for (const node of databaseNodes(place)) {
    if (running(place, node).length === 0) continue;
    if ((await perform(psql(place, node, 'select pg_is_in_recovery()'), signal)).trim() === 'f') found.push(node);
  }
  const [only, ...more] = to === null ? found : found.filter(({ node }) => node === to);
  if (only === undefined)
    throw new UnderstudyError('REFUSED', 'no node of this machine is writable: step promote comes first');
  if (more.length > 0) throw new UnderstudyError('REFUSED', 'more than one node is writable: stop all but one of them');
  return only;
}

async function poolers(performance: Performance): Promise<void> {
  const { place, to } = performance;
  refuseAutomation(performance);
  const hasPrimary = databaseNodes(place).length > 0;
  const node = hasPrimary ? (await writableHere(performance)).node : to;
  if (node === null) throw new UnderstudyError('REQUEST_INVALID', 'name the new primary: --to NODE');
  await type(performance, repointPoolers(place, addressOf(place, node)));
}

async function newStore(performance: Performance): Promise<void> {
  const { place, clock, signal } = performance;
  const { stage } = place;
  if (stage === null) {
    throw new UnderstudyError('REFUSED', 'a new store is set up by hand on its own servers: see what by-hand prints');
  }
  await endProcesses(stage, clock, ({ kind }) => kind === 'store');
  await type(performance, storesAside(place));
  await startStore(stage, { clock, signal });
}

/** The dead store's files stay beside. */
export function storesAside({ stage }: Place): readonly Command[] {
  if (stage === null) return [];
  return stage.storeMembers.flatMap((member) => {
    const data = join(nodeDirectory(stage, member), 'etcd');
    if (!existsSync(data)) return [];
    const home = { uid: stage.user.uid, gid: stage.user.gid, name: stage.user.name };
    const as = process.getuid?.() === 0 ? home : null;
    let number = 1;
    while (existsSync(`${data}.dead-${number}`)) number += 1;
    return [
      { program: 'mv', args: [data, `${data}.dead-${number}`], as: null },
      { program: 'mkdir', args: ['-m', '700', data], as },
    ];
  });
}

async function giveBack(performance: Performance): Promise<void> {
  const { place, clock, say, directory } = performance;
  refuseAutomation(performance);
  const node = await writableHere(performance);
  const all = await examineAll(performance);
  const primary = furthestFirst(all).find((one) => one.node === node.node);
  if (primary === undefined) throw new UnderstudyError('REFUSED', `${node.node} has no usable data`);
  await type(performance, setAside(place, primary, all));
  const term = await seedStore(place, node, primary, clock);
  say(`the new store knows the cluster: ${node.node} holds the lease, term ${term}`);
  const { stage } = place;
  if (stage === null) return void (await type(performance, startAgents()));
  const first = stage.nodes.filter(({ name }) => name === node.node);
  for (const each of [...first, ...stage.nodes.filter(({ name }) => name !== node.node)])
    await launchAgent(stage, each);
  await launchKeeper(stage, directory);
  say(`agents run: ${stageProcesses(stage).filter(({ kind }) => kind === 'agent').length}`);
}
