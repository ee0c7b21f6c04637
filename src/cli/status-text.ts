/** How `status` reads: the verdict first, then the nodes, the poolers, what is under way, and what is left to do. */
import { renewalCommands } from '../core/authority.ts';
import type { Operation } from '../core/operation.ts';
import type { Receipt } from '../core/receipt.ts';
import { othersThatMayLead } from '../core/restart-commands.ts';
import type { ClusterStatus, NodeStatus, PoolerStatus, Verdict } from '../core/status.ts';
import { endingParts, endingText } from '../pki/authority-ending.ts';
import { isEnding, registeredText } from '../pki/registered-ending.ts';
import { acceptedLossText, forecastText } from './forecast-text.ts';
import { handsOffText } from './hands-off-text.ts';
import { provenText } from './proof-text.ts';
import { readOnlyText } from './read-only-text.ts';
import type { Paint, Tone } from './terminal.ts';
import { describeWindow } from './window-text.ts';
import { ageText, bytesText, columns, countText, oneLine, spanText } from './words.ts';

/** An agent's word is renewed every 2 s: the store's answer behind it should not be older than that by much. */
const oldAnswerMs = 3_000;

const verdictTones: Readonly<Record<Verdict, Tone>> = {
  HEALTHY: 'green',
  DEGRADED: 'yellow',
  STARTING: 'yellow',
  DOWN: 'red',
};

export interface StatusScene {
  readonly status: ClusterStatus;
  /** Of the last operation; `null`: there is none, or it could not be had. */
  readonly receipt: Receipt | null;
  /** Wall clock, in ms. */
  readonly nowMs: number;
  readonly paint: Paint;
}

export function statusLines(scene: StatusScene): readonly string[] {
  const { status, paint } = scene;
  return [
    headline(scene),
    ...(status.readOnly === null ? [] : [paint('yellow', readOnlyText(status.readOnly))]),
    ...(status.handsOff === null ? [] : [paint('yellow', handsOffText(status.handsOff))]),
    ...status.because.map((reason) => `  ${paint('yellow', '!')} ${oneLine(reason)}`),
    ...columns(status.nodes.filter((node) => node.role !== 'app').map((node) => nodeRow(status, node, paint))),
    ...poolerLines(status.poolers, paint),
    ...pastLines(scene),
    ...forecastLines(status),
    ...operationLines(status.operation),
    ...receiptLines(scene),
    ...authorityLines(scene),
    ...registeredLines(scene),
    ...todo(status).map((text) => `${paint('bold', 'TODO:')} ${text}`),
  ];
}

function headline({ nowMs, paint, status }: StatusScene): string {
  const age = status.storeAgeMs;
  const proven = status.backups?.proven ?? null;
  const parts = [
    `${status.cluster} ${paint(verdictTones[status.verdict], status.verdict)}`,
    ...(status.term === null ? [] : [`term ${status.term}`]),
    ...(status.timeline === null ? [] : [`timeline ${status.timeline}`]),
    ...(status.specRevision === null ? [] : [`spec ${status.specRevision}`]),
    ...(proven === null ? [] : [provenText(proven, nowMs)]),
    ...(age !== null && age > oldAnswerMs ? [`as ${status.from} knew it ${ageText(age)} ago`] : []),
    ...(age === null ? [`as ${status.from} knows it without the store`] : []),
  ];
  return parts.join('  ');
}

function nodeRow(status: ClusterStatus, node: NodeStatus, paint: Paint): readonly string[] {
  if (node.role === 'witness') return [node.node, 'witness', '', '', notes(status, node, paint)];
  const { postgres } = node;
  const timeline = postgres !== null && 'timeline' in postgres ? `TL ${postgres.timeline}` : '';
  return [node.node, roleText(node, paint), timeline, lagText(node), notes(status, node, paint)];
}

function roleText(node: NodeStatus, paint: Paint): string {
  const { postgres } = node;
  if (postgres === null) return paint('yellow', 'unknown');
  if (isOfThePast(node)) return paint('yellow', `was ${postgres.state}`);
  switch (postgres.state) {
    case 'primary':
      return paint('bold', 'primary');
    case 'standby':
      return 'standby';
    case 'cloning':
    case 'rewinding':
      return paint('yellow', `${postgres.state} ${cloneProgress(postgres.bytesDone, postgres.bytesTotal)}`);
    default:
      return paint('yellow', postgres.state);
  }
}

/** A node that nobody hears may be something else by now: another may have become primary. */
function isOfThePast({ lastSeenAs }: NodeStatus): boolean {
  return lastSeenAs !== null && lastSeenAs !== undefined;
}

function cloneProgress(done: number, total: number | null): string {
  if (total === null || total === 0) return bytesText(done);
  return `${Math.min(100, Math.floor((100 * done) / total))} % of ${bytesText(total)}`;
}

function lagText(node: NodeStatus): string {
  if (node.postgres?.state !== 'standby' || isOfThePast(node)) return '';
  const delayMs = node.applyDelayMs ?? null;
  if (delayMs !== null) return `delayed ${spanText(delayMs)}`;
  const bytes = node.lagBytes === null ? '?' : bytesText(node.lagBytes);
  const seconds = node.lagS === null ? '?' : node.lagS.toFixed(1);
  return `lag ${bytes}, ${seconds} s`;
}

function notes(status: ClusterStatus, node: NodeStatus, paint: Paint): string {
  const { postgres, slot } = node;
  const follows = postgres?.state === 'standby' && postgres.streamingFrom !== status.primary;
  return [
    ...(node.reachable === 'no' ? [paint('red', 'agent silent')] : []),
    ...(node.reachable === 'unknown' ? [paint('yellow', 'agent not heard yet')] : []),
    ...(follows && postgres.streamingFrom === null ? [paint('yellow', 'not streaming')] : []),
    ...(follows && postgres.streamingFrom !== null ? [`from ${postgres.streamingFrom}`] : []),
    ...(slot === null ? [] : slotNotes(slot, paint)),
    ...(node.failover === 'never' && (node.applyDelayMs ?? null) === null ? ['never primary'] : []),
    ...(node.pendingRestart.length === 0 ? [] : ['restart pending']),
    ...(node.trouble === null ? [] : [paint('red', 'in trouble')]),
  ].join(', ');
}

function slotNotes(slot: NonNullable<NodeStatus['slot']>, paint: Paint): readonly string[] {
  if (slot.walStatus === 'lost') return [paint('red', 'slot lost')];
  const held = slot.heldBytes === null ? '' : ` holds ${bytesText(slot.heldBytes)}`;
  if (!slot.active) return [paint('yellow', `slot idle${held}`)];
  return slot.walStatus === 'reserved' ? ['slot active'] : [paint('yellow', `slot ${slot.walStatus}${held}`)];
}

function pastLines({ status: { backups }, nowMs }: StatusScene): readonly string[] {
  const window = backups?.window ?? null;
  return window === null ? [] : [describeWindow(window, nowMs)];
}

function poolerLines(poolers: readonly PoolerStatus[], paint: Paint): readonly string[] {
  if (poolers.length === 0) return [];
  const open = poolers.filter((pooler) => pooler.report?.state === 'open' && pooler.reachable !== 'no');
  const clients = poolers.reduce((sum, pooler) => sum + (pooler.report?.clients ?? 0), 0);
  const waiting = poolers.reduce((sum, pooler) => sum + (pooler.report?.waiting ?? 0), 0);
  const count = `${open.length}/${poolers.length} open`;
  const summary = [
    `poolers ${open.length === poolers.length ? count : paint('yellow', count)}`,
    countText(clients, 'client'),
    ...(waiting === 0 ? [] : [paint('yellow', `${waiting} waiting`)]),
  ].join('  ');
  const others = poolers.filter((pooler) => !open.includes(pooler) || (pooler.report?.trouble ?? null) !== null);
  return [summary, ...others.map((pooler) => `  ${pooler.node}: ${poolerText(pooler)}`)];
}

function poolerText({ report, reachable }: PoolerStatus): string {
  if (report === null) return 'has not reported yet';
  const parts = [
    reachable === 'no' ? `agent silent, was ${report.state}` : report.state,
    ...(report.operation === null || report.state === 'open' ? [] : [`for ${report.operation}`]),
    ...report.blockers.map(
      (blocker) => `${blocker.alias} pid ${blocker.serverPid} of ${blocker.client} since ${spanText(blocker.ageMs)}`,
    ),
    ...(report.trouble === null ? [] : [report.trouble]),
  ];
  return parts.join(', ');
}

function forecastLines({ term, ifPrimaryDied, durability, acceptedLoss }: ClusterStatus): readonly string[] {
  return [
    ...(acceptedLoss === null || acceptedLoss === undefined ? [] : [acceptedLossText(term, acceptedLoss)]),
    ...(ifPrimaryDied === null || ifPrimaryDied === undefined
      ? []
      : [forecastText(ifPrimaryDied, durability?.commit ?? 'local')]),
  ];
}

function operationLines(operation: Operation | null): readonly string[] {
  if (operation === null || operation.phase === 'finished' || operation.phase === 'undone') return [];
  const { id, from, to, phase } = operation;
  return [`switchover ${id} from ${from} to ${to} is under way: ${phase}`];
}

function receiptLines({ status, receipt, nowMs }: StatusScene): readonly string[] {
  if (receipt === null) return status.lastReceipt === null ? [] : [`last switchover: receipt ${status.lastReceipt}`];
  const startedAtMs = Date.parse(receipt.startedAt);
  const ago = Number.isNaN(startedAtMs) ? receipt.startedAt : `${ageText(nowMs - startedAtMs)} ago`;
  const outcome = receipt.outcome === 'undone' ? `undone (${receipt.undoReason})` : pauseText(receipt);
  return [`last switchover ${receipt.id} ${ago}: ${receipt.from} -> ${receipt.to}, ${outcome}`];
}

function pauseText(receipt: Receipt): string {
  return receipt.pauseMs === null ? 'no pooler took part' : `writes waited ${spanText(receipt.pauseMs)}`;
}

function registeredLines({ nowMs, paint, status }: StatusScene): readonly string[] {
  const registered = (status.registered ?? []).filter((one) => isEnding(one, nowMs));
  return registered.map((one) => `${paint('bold', 'TODO:')} ${oneLine(registeredText(one, nowMs))}`);
}

function authorityLines({ nowMs, paint, status }: StatusScene): readonly string[] {
  return endingParts(status.authority ?? [], nowMs).map(
    (part) => `${paint('bold', 'TODO:')} ${endingText(part, nowMs)} (${renewalCommands[part.part]})`,
  );
}

/** What a person still has to do, or to wait for. */
export function todo(status: ClusterStatus): readonly string[] {
  const restarts = new Map<string, string[]>();
  for (const node of status.nodes) {
    for (const { name, current, wanted } of node.pendingRestart) {
      const text = `${name} ${current} -> ${wanted}`;
      restarts.set(text, [...(restarts.get(text) ?? []), node.node]);
    }
  }
  const versions = new Set(status.nodes.flatMap((node) => node.agentVersion ?? []));
  return [
    ...[...restarts].map(
      ([text, nodes]) => `${text} waits for a restart of ${nodes.map((node) => restartText(status, node)).join(', ')}`,
    ),
    ...status.nodes.flatMap((node) => node.unconverged.map((what) => `${node.node}: ${what}`)),
    ...(status.backups?.todo ?? []),
    ...(versions.size > 1 ? [`agents run different versions: ${[...versions].sort().join(', ')}`] : []),
  ];
}

function restartText(status: ClusterStatus, node: string): string {
  if (node !== status.primary) return `${node} (understudy restart ${node})`;
  const nodes = status.nodes.map(({ failover, node: name, role }) => ({ failover, name, role }));
  const isAlone = othersThatMayLead(nodes, node).length === 0;
  return isAlone ? `${node} (understudy restart ${node}: writes fail meanwhile)` : `${node} (the next switchover)`;
}
