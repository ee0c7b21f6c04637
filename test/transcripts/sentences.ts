/**
 * What a transcript may say. Each sentence changes the agent's surroundings as the real thing would; none says what the
 * agent is to make of it. README.md explains them.
 */
import { defaultDurability } from '../../src/core/declared-durability.ts';
import { driftMs } from '../../src/core/lease.ts';
import type { Operation, OperationPhase } from '../../src/core/operation.ts';
import { promiseTo } from '../../src/core/promise.ts';
import type { NodeName } from '../../src/core/spec.ts';
import { ballotKey, keys, timelineKey } from '../../src/records/keys.ts';
import { operationId, paused, resumed } from '../fixtures/scene.ts';
import { spec3, storedSpec } from '../fixtures/spec.ts';
import { lsn, memberPrimary, memberStandby, operation, stopped } from '../fixtures/view.ts';
import { put, type Scene } from './scene.ts';

/** Gets what the form captured. Throws where that can't be now. */
type Happening = (scene: Scene, ...words: string[]) => Promise<void> | void;

const sentences: readonly (readonly [form: string, happens: Happening])[] = [
  ['a loss is accepted after (\\d+) s', acceptLossAfter],
  ['the agent starts', (scene) => scene.start(0)],
  ['the agent has run for (\\d+) s', (scene, s) => scene.start(Number(s) * 1_000)],
  ['(\\d+) s pass(?:es)?', (scene, s) => scene.pass(Number(s) * 1_000)],
  ['(\\d+) ms pass', (scene, ms) => scene.pass(Number(ms))],
  ['(cut|hear|stop|start|promote|rescue|rewind) is done', (scene, what) => scene.server.end(what)],
  ['the store falls silent', (scene) => scene.setMood('silent')],
  ['the store refuses connections', (scene) => scene.setMood('refuses')],
  ['the store answers again', (scene) => scene.setMood('answers')],
  ["(db\\d)'s host is gone", vanish],
  ['(db\\d) releases the lease', release],
  ['(db\\d) writes its ballot at (\\S+)', writeBallot],
  ['(db\\d) takes the lease, and leaves the timeline at (\\S+)', take],
  ['(db\\d) is writable', openForWrites],
  ['(db\\d) asks for a promise', askPromise],
  ['(db\\d) streams from here', streamFromHere],
  ['PostgreSQL was primary and crashed at (\\S+)', crashed],
  ['PostgreSQL streams from (db\\d)', stream],
  ['PostgreSQL has everything up to (\\S+)', reach],
  ['(\\w+) moves the primary to (db\\d)', move],
  ['web1 is paused and drained', (scene) => report(scene, paused)],
  ['web1 serves db2', (scene) => report(scene, resumed)],
  ['db1 has stopped at (\\S+)', (scene, at) => enter(scene, { phase: 'stopped', shutdownLsn: at, timeline: 1 })],
  ['db2 takes over', takeOver],
  ['db2 has finished the switchover', (scene) => enter(scene, { phase: 'finished', receipt: operationId })],
  ['the timeline of db2 begins at (\\S+)', beginTimeline],
  ["(\\w+) takes the automation's hands off for (\\d+) s", takeHandsOff],
  ['(\\w+) puts the hands on again', (scene) => scene.write({ key: keys.handsOff, remove: true })],
];

/** Throws with what is wrong when there is no such sentence, or it can't be said now. */
export async function say(scene: Scene, text: string): Promise<void> {
  for (const [form, happens] of sentences) {
    const words = new RegExp(`^${form}$`).exec(text)?.slice(1);
    if (words === undefined) continue;
    await happens(scene, ...words);
    await scene.pass(0);
    return;
  }
  throw new Error(`no such sentence: ${text}`);
}

async function acceptLossAfter(scene: Scene, s: string): Promise<void> {
  const spec = spec3({ durability: { ...defaultDurability, acceptLossAfterMs: Number(s) * 1_000 } });
  await scene.write(put('spec', keys.spec, storedSpec(spec).value));
}

function vanish(scene: Scene, node: NodeName): void {
  scene.gone.add(node);
  scene.server.streaming.delete(node);
  endStream(scene, node);
}

/** Of the node's own standby, if it streams from there. */
function endStream({ server }: Scene, from: NodeName): void {
  if (server.now.state === 'standby' && server.now.upstream === from) server.change({ receiver: 'connecting' });
}

async function release(scene: Scene, by: NodeName): Promise<void> {
  const { term, ttlMs } = await scene.lease();
  endStream(scene, by);
  await scene.write(put('lease', keys.lease, { state: 'released', term, by, to: null, ttlMs }));
  await scene.saysOfItself(by, { postgres: { state: 'stopped' } });
}

async function writeBallot(scene: Scene, node: NodeName, at: string): Promise<void> {
  const term = (await scene.lease()).term + 1;
  const ballot = { node, term, timeline: 1, lsn: at, bootId: 'boot-1', priority: 100, unfit: null };
  await scene.saysOfItself(node, { cutTerm: term, postgres: memberStandby({ streamingFrom: null }) });
  await scene.write(put('ballot', ballotKey(term, node), ballot));
}

/** As the transaction of whoever is elected does it (src/agent/store-lease.ts). */
async function take(scene: Scene, holder: NodeName, forkLsn: string): Promise<void> {
  const { ballots, durability, timelines } = await scene.image();
  const lease = await scene.lease();
  const term = lease.term + 1;
  const parent = Math.max(...[...timelines.values()].map(({ value }) => value.timeline));
  await scene.write(
    put('lease', keys.lease, { state: 'held', term, holder, ttlMs: lease.ttlMs }),
    put('renewal', keys.renewal, { term, counter: 0 }),
    put('timeline', timelineKey(term), { term, timeline: parent + 1, parent, forkLsn }),
    ...(durability === null ? [] : [put('durability', keys.durability, durability.value)]),
    ...[...ballots.values()].map(({ value }) => ({ key: ballotKey(value.term, value.node), remove: true }) as const),
  );
}

/** Of the term of the lease. */
async function timeline(scene: Scene): Promise<number> {
  const { term } = await scene.lease();
  return (await scene.image()).timelines.get(term)?.value.timeline ?? 1;
}

async function openForWrites(scene: Scene, node: NodeName): Promise<void> {
  const { term } = await scene.lease();
  await scene.saysOfItself(node, { term, postgres: memberPrimary({ timeline: await timeline(scene) }) });
}

/** For the first time in its term. */
async function askPromise(scene: Scene, holder: NodeName): Promise<void> {
  const { term, ttlMs } = await scene.lease();
  if (holder === scene.self) throw new Error(`${holder} asks the others`);
  const request = { term, round: 1, forMs: ttlMs + driftMs(ttlMs) };
  const bound = await scene.agent.bind((record, now) => promiseTo(record, request, now));
  if (bound === null) throw new Error(`${scene.self} does not promise`);
}

async function streamFromHere(scene: Scene, node: NodeName): Promise<void> {
  const { now, streaming } = scene.server;
  if (now.state !== 'primary') throw new Error(`PostgreSQL is ${now.state}, and no primary`);
  streaming.add(node);
  await scene.saysOfItself(node, { cutTerm: 0, postgres: memberStandby({ streamingFrom: scene.self }) });
}

function crashed({ server }: Scene, at: string): void {
  server.now = stopped({ shutdown: 'crashed', checkpointLsn: lsn(at) });
}

async function stream(scene: Scene, from: NodeName): Promise<void> {
  scene.server.change({ upstream: from, receiver: 'streaming', timeline: await timeline(scene) });
}

function reach({ server }: Scene, at: string): void {
  server.change({ receivedLsn: lsn(at), replayedLsn: lsn(at), walEnd: lsn(at) });
}

/** After the preflight and the checkpoints. */
async function move(scene: Scene, requestedBy: string, to: NodeName): Promise<void> {
  const lease = await scene.lease();
  if (lease.state !== 'held') throw new Error('nobody holds the lease');
  const plan = { from: lease.holder, to, term: lease.term, requestedBy };
  if (lease.holder === scene.self) scene.agent.request({ driving: operationId });
  await scene.write(put('operation', keys.operation, operation({ phase: 'pausing' }, plan)));
}

async function underWay(scene: Scene): Promise<Operation> {
  const found = (await scene.image()).operation?.value;
  if (found === undefined) throw new Error('nobody moves the primary');
  return found;
}

async function enter(scene: Scene, phase: OperationPhase): Promise<void> {
  await scene.write(put('operation', keys.operation, { ...(await underWay(scene)), ...phase }));
}

async function takeOver(scene: Scene): Promise<void> {
  const { to, ...before } = await underWay(scene);
  if (before.phase !== 'stopped') throw new Error(`the primary is ${before.phase}, and has not stopped`);
  const { shutdownLsn } = before;
  await take(scene, to, shutdownLsn);
  await enter(scene, { phase: 'handed-over', shutdownLsn, timeline: before.timeline });
}

/** Behind the old primary's last record, as the new one sees it. */
async function beginTimeline(scene: Scene, forkLsn: string): Promise<void> {
  const { term } = await scene.lease();
  const begun = { term, timeline: await timeline(scene), parent: 1, forkLsn };
  await scene.write(put('timeline', timelineKey(term), begun));
}

function report({ agent }: Scene, what: typeof paused): void {
  agent.reports.accept(what);
  agent.reported();
}

async function takeHandsOff(scene: Scene, by: string, s: string): Promise<void> {
  const forMs = Number(s) * 1_000;
  await scene.write(put('handsOff', keys.handsOff, { by, at: '2026-11-19T14:00:00Z', forMs, leftMs: forMs }));
}
