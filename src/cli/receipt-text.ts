/** How a receipt reads. */
import type { Receipt } from '../core/receipt.ts';
import type { Paint } from './terminal.ts';
import { columns, spanText } from './words.ts';

/** What happened, and what the applications felt. */
export function outcomeLines(receipt: Receipt, paint: Paint): readonly string[] {
  if (receipt.outcome === 'undone') {
    const detail = receipt.detail === null || receipt.detail === '' ? '' : `: ${receipt.detail}`;
    return [
      `${paint('yellow', 'undone')} (${receipt.undoReason})${detail}. ${receipt.from} is primary, term ${receipt.termAfter}.`,
      ...pauseLines(receipt),
    ];
  }
  return [
    `${paint('bold', receipt.to)} is primary, term ${receipt.termAfter}.${pauseText(receipt)}`,
    ...applicationLines(receipt),
  ];
}

function pauseLines(receipt: Receipt): readonly string[] {
  return receipt.pauseMs === null ? [] : [`Writes waited ${spanText(receipt.pauseMs)}.`];
}

function pauseText(receipt: Receipt): string {
  return receipt.pauseMs === null ? '' : ` Writes waited ${spanText(receipt.pauseMs)}.`;
}

export function applicationLines(receipt: Receipt): readonly string[] {
  if (receipt.applications.length === 0) return [];
  const rows = receipt.applications.map(({ name, delayed, worstMs, failed }) => [
    name,
    `${delayed}`,
    spanText(worstMs),
    `${failed}`,
  ]);
  return columns([['', 'delayed', 'worst', 'failed'], ...rows]);
}

export function phasesText(receipt: Receipt, paint: Paint): string {
  return receipt.phases.map(({ phase, ms }) => phaseText(phase, ms, paint)).join(' ');
}

export function phaseText(phase: string, ms: number, paint: Paint): string {
  return `${paint('green', '✓')} ${phase} ${spanText(ms)}`;
}

/** Everything that it holds. */
export function receiptLines(receipt: Receipt, paint: Paint): readonly string[] {
  const wal = receipt.shutdownLsn === null ? [] : [walText(receipt, receipt.shutdownLsn)];
  return [
    `${paint('bold', receipt.id)}  switchover ${receipt.from} -> ${receipt.to}  ${receipt.startedAt}, asked by ${receipt.requestedBy}`,
    ...(receipt.phases.length === 0 ? [] : [phasesText(receipt, paint)]),
    ...outcomeLines(receipt, paint),
    ...wal,
    ...receipt.poolers.map(
      ({ node, drainMs, pausedMs }) => `pooler ${node}: drained in ${spanText(drainMs)}, paused ${spanText(pausedMs)}`,
    ),
    ...(receipt.without.length === 0 ? [] : [`left out on request: ${receipt.without.join(', ')}`]),
    ...(receipt.unreported.length === 0 ? [] : [`had not reported: ${receipt.unreported.join(', ')}`]),
    ...(receipt.undo === null ? [] : [`Undo: ${receipt.undo}`]),
  ];
}

function walText(
  { from, to, termBefore, termAfter, timelineBefore, timelineAfter }: Receipt,
  shutdownLsn: string,
): string {
  const replayed = `${from} stopped at ${shutdownLsn} (term ${termBefore}, timeline ${timelineBefore})`;
  return timelineAfter === timelineBefore
    ? `${replayed}.`
    : `${replayed}; ${to} replayed all of it before term ${termAfter}, timeline ${timelineAfter}.`;
}

/** One line of a list. */
export function receiptRow(receipt: Receipt): readonly string[] {
  const outcome = receipt.outcome === 'undone' ? `undone (${receipt.undoReason})` : 'finished';
  const pause = receipt.pauseMs === null ? '' : `writes waited ${spanText(receipt.pauseMs)}`;
  return [receipt.id, receipt.startedAt, `${receipt.from} -> ${receipt.to}`, outcome, pause];
}
