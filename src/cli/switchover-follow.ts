/**
 * Watches a switchover until it has ended, whichever agents die meanwhile, and prints its receipt.
 *
 * Invariant: says how it ended only from the record in the store or its receipt. Changes nothing.
 */
import { type Operation, pauseLimitMs } from '../core/operation.ts';
import type { Receipt } from '../core/receipt.ts';
import { exitCodes } from '../errors/exit-codes.ts';
import { isUnderstudyError, UnderstudyError } from '../errors/understudy-error.ts';
import type { Call } from './call.ts';
import type { ClusterAccess } from './cluster-access.ts';
import { outcomeLines } from './receipt-text.ts';
import type { Begun } from './switchover-begin.ts';
import type { Interruption } from './switchover-interruption.ts';
import { SwitchoverProgress } from './switchover-progress.ts';
import type { Terminal } from './terminal.ts';
import { spanText } from './words.ts';

const pollMs = 50;
/** Beyond the operation's own limits, for agents that have to start anew. */
const graceMs = 60_000;
/** Before anything is known of its limits. */
const unknownLimitMs = 120_000;
const receiptWithinMs = 5_000;
/** From when on the agents are asked what they wait for. */
const slowAfterMs = 1_000;
const askWhyEveryMs = 500;
/** How long to wait for the old primary to stream again before saying that it does not yet. */
const streamingWithinMs = 20_000;

type Started = Extract<Begun, { readonly outcome: 'started' }>;
type Ended = { readonly how: 'receipt'; readonly receipt: Receipt } | { readonly how: 'left' };

export async function followSwitchover(
  call: Call,
  access: ClusterAccess,
  started: Started,
  interruption: Interruption,
): Promise<number> {
  const progress = new SwitchoverProgress(call.terminal);
  const begunAtMs = performance.now();
  try {
    const ended = await untilEnded(call, access, started, interruption, progress);
    if (ended.how === 'left') return leave(call, started, progress);
    const { receipt } = ended;
    progress.finish(receipt.phases);
    return await conclude(call, access, receipt, begunAtMs, interruption.left);
  } finally {
    progress.close();
  }
}

function leave({ terminal }: Call, { operation, preflight }: Started, progress: SwitchoverProgress): number {
  progress.close();
  if (terminal.json) terminal.printJson({ outcome: 'left', operation, preflight });
  terminal.note(`left; the cluster finishes or undoes ${operation} by itself: understudy receipt ${operation}`);
  return exitCodes.failed;
}

async function untilEnded(
  call: Call,
  access: ClusterAccess,
  { operation: id }: Started,
  { left }: Interruption,
  progress: SwitchoverProgress,
): Promise<Ended> {
  const begunAtMs = performance.now();
  const reasons = new WaitingReasons(access);
  let limitMs = unknownLimitMs;
  let last: unknown = null;
  for (;;) {
    if (left.aborted) return { how: 'left' };
    try {
      const now = await access.ask((client, asking) => client.operation(asking));
      if (now !== null && now.id === id) {
        limitMs = pauseLimitMs(now) + graceMs;
        if (hasEnded(now)) return { how: 'receipt', receipt: await receiptOf(call, access, id) };
        const tookMs = performance.now() - begunAtMs;
        progress.show(now, tookMs > slowAfterMs ? await reasons.read(now) : null);
      } else {
        // An agent that is a moment behind, or somebody began the next one already.
        const receipt = await findReceipt(access, id);
        if (receipt !== null) return { how: 'receipt', receipt };
      }
      last = null;
    } catch (error) {
      if (!isUnderstudyError(error) || error.retry === 'never') throw error;
      last = error;
    }
    if (performance.now() - begunAtMs > limitMs) throw notSeen(id, last);
    await call.sleep(pollMs);
  }
}

function hasEnded(operation: Operation): boolean {
  return operation.phase === 'finished' || operation.phase === 'undone';
}

function notSeen(id: string, cause: unknown): UnderstudyError {
  return new UnderstudyError('TIMEOUT', `${id} has not been seen to end`, {
    ...(cause === null ? {} : { cause }),
    hint: `the cluster finishes or undoes it by itself: understudy status, understudy receipt ${id}`,
  });
}

/** What the operation's owner says that it waits for; asked for only now and then. */
class WaitingReasons {
  readonly #access: ClusterAccess;
  #askedAtMs = Number.NEGATIVE_INFINITY;
  #text: string | null = null;

  constructor(access: ClusterAccess) {
    this.#access = access;
  }

  async read(operation: Operation): Promise<string | null> {
    if (performance.now() - this.#askedAtMs < askWhyEveryMs) return this.#text;
    this.#askedAtMs = performance.now();
    const owner = operation.phase === 'pausing' ? operation.from : operation.to;
    try {
      const answer = await this.#access.askNode(owner, (client, asking) => client.why(asking), askWhyEveryMs);
      this.#text = answer.reasons[0]?.text ?? null;
    } catch (error) {
      if (!isUnderstudyError(error)) throw error;
      this.#text = `the agent on ${owner} does not answer; the cluster finishes or undoes this by itself`;
    }
    return this.#text;
  }
}

async function findReceipt(access: ClusterAccess, id: string): Promise<Receipt | null> {
  try {
    return await access.ask((client, asking) => client.receipt(id, asking));
  } catch (error) {
    if (isUnderstudyError(error, 'NOT_FOUND')) return null;
    throw error;
  }
}

/** Agents hear of it within milliseconds; the one that is asked may be behind. */
async function receiptOf(call: Call, access: ClusterAccess, id: string): Promise<Receipt> {
  const begunAtMs = performance.now();
  for (;;) {
    const receipt = await findReceipt(access, id);
    if (receipt !== null) return receipt;
    if (performance.now() - begunAtMs > receiptWithinMs) {
      throw new UnderstudyError('NOT_FOUND', `${id} has ended, but no agent has its receipt`, {
        hint: 'understudy events shows how it ended',
      });
    }
    await call.sleep(pollMs);
  }
}

async function conclude(
  call: Call,
  access: ClusterAccess,
  receipt: Receipt,
  begunAtMs: number,
  left: AbortSignal,
): Promise<number> {
  const { terminal } = call;
  if (!terminal.json) terminal.print(...outcomeLines(receipt, terminal.paint));
  const isDone = receipt.outcome === 'finished';
  const streamingAfterMs = isDone ? await untilStreaming(call, access, receipt, begunAtMs, left) : null;
  if (terminal.json) terminal.printJson({ ...receipt, streamingAfterMs });
  else printLastLine(terminal, receipt, streamingAfterMs);
  return isDone ? exitCodes.done : exitCodes.failed;
}

function printLastLine(terminal: Terminal, receipt: Receipt, streamingAfterMs: number | null): void {
  const parts = [
    ...(receipt.outcome === 'undone' ? [] : [streamingText(receipt, streamingAfterMs)]),
    ...(receipt.outcome === 'undone' || receipt.unreported.length === 0
      ? []
      : [`Not reported yet: ${receipt.unreported.join(', ')}.`]),
    ...(receipt.without.length === 0 ? [] : [`Left out: ${receipt.without.join(', ')}.`]),
    `Receipt ${receipt.id}.`,
    ...(receipt.undo === null ? [] : [`Undo: ${receipt.undo}`]),
  ];
  terminal.print(parts.join(' '));
}

function streamingText({ from }: Receipt, afterMs: number | null): string {
  return afterMs === null ? `${from} does not stream yet.` : `${from} streaming after ${spanText(afterMs)}.`;
}

/** `null`: not within the time given, or a newer switchover came; Ctrl-C ends the wait. */
async function untilStreaming(
  call: Call,
  access: ClusterAccess,
  { from, to, termAfter }: Receipt,
  begunAtMs: number,
  left: AbortSignal,
): Promise<number | null> {
  const waitedFromMs = performance.now();
  const stop = new AbortController();
  call.takeInterrupts(() => stop.abort());
  while (performance.now() - waitedFromMs < streamingWithinMs && !stop.signal.aborted && !left.aborted) {
    try {
      const status = await access.status();
      if (status.term !== null && status.term > termAfter) return null;
      const old = status.nodes.find((node) => node.node === from)?.postgres;
      if (old?.state === 'standby' && old.streamingFrom === to) return performance.now() - begunAtMs;
    } catch (error) {
      if (!isUnderstudyError(error)) throw error;
    }
    await call.sleep(2 * pollMs);
  }
  return null;
}
