/**
 * What the fence decides: pure, so that any sequence of messages and jumps of the clock can be tried.
 *
 * Invariants (PROTOCOLS, "Fence"; model A):
 * - Nothing is let through at or after the deadline, without one, or while a server is being killed.
 * - Once the clock was seen at or past a deadline, everything is killed until nothing is left, whatever is asked
 *   meanwhile; and again whatever shows up later, until the deadline is dropped or another is given.
 * - A deadline moves only forward within a term, and never to a lower term.
 * - A deadline that an earlier fence left behind kills, and permits nothing: whoever gave it may have dropped it since.
 * - A fence that knows nothing of the past lets a primary run for `attentionMs` at most until somebody speaks for it.
 *
 * Does not look at clocks, processes or files itself, and does not decide how to kill.
 */
export interface Deadline {
  readonly term: number;
  /** On the boottime clock, in ms. */
  readonly atMs: number;
  /** Given to this very fence, and not found in the memory of an earlier one. */
  readonly confirmed: boolean;
}

export interface Warden {
  readonly deadline: Deadline | null;
  /** Lower terms are refused, also after a drop. */
  readonly highestTerm: number;
  /** Until when a primary may run for which nobody has spoken; `null` once somebody has. */
  readonly unattendedUntilMs: number | null;
  /** Why everything is being killed; `null` when nothing is, or when nothing was left. */
  readonly striking: string | null;
  /** It was told to end, and does so when nothing is left that needs it. */
  readonly leaving: boolean;
}

/** What an earlier fence of the same boot wrote down. */
export interface WardenMemory {
  readonly highestTerm: number;
  readonly deadline: { readonly term: number; readonly atMs: number } | null;
}

/** `remnants`: no postmaster, but processes that may still commit. */
export type ServerSeen = 'none' | 'standby' | 'primary' | 'remnants';

export type Answer =
  | { readonly ok: true; readonly warden: Warden }
  | { readonly ok: false; readonly because: string; readonly warden: Warden };

/**
 * How long a primary without a known deadline is left to itself. The deadline that it may have had lies at least half a
 * second before the lease is over (core/lease.ts), so that also one that passed just as the earlier fence died is
 * honoured: this, the start of a fence and the kill together stay below it. An agent that lives speaks within 10 ms.
 */
export const attentionMs = 300;

export function begin(memory: WardenMemory | null, nowMs: number): Warden {
  const deadline = memory?.deadline ?? null;
  return {
    deadline: deadline === null ? null : { ...deadline, confirmed: false },
    highestTerm: memory?.highestTerm ?? 0,
    unattendedUntilMs: memory === null ? nowMs + attentionMs : null,
    striking: null,
    leaving: false,
  };
}

/** Comes before everything else that is asked at a time, so that no message overtakes a deadline that has passed. */
export function look(warden: Warden, nowMs: number, server: ServerSeen): Warden {
  const because = warden.striking ?? whyStrike(warden, nowMs, server);
  return because === warden.striking ? warden : { ...warden, striking: because };
}

function whyStrike({ deadline, unattendedUntilMs }: Warden, nowMs: number, server: ServerSeen): string | null {
  if (deadline !== null && nowMs >= deadline.atMs) return `the deadline of term ${deadline.term} has passed`;
  const unattended = unattendedUntilMs !== null && nowMs >= unattendedUntilMs;
  if (unattended && (server === 'primary' || server === 'remnants')) return 'nobody spoke for a primary that runs';
  return null;
}

/** Nothing was left. The deadline stays, so that the next look begins anew. */
export function swept(warden: Warden): Warden {
  return { ...warden, striking: null };
}

/** Must everything of the server be killed now? */
export function mustKill(warden: Warden): boolean {
  return warden.striking !== null;
}

export function extend(warden: Warden, term: number, atMs: number, nowMs: number): Answer {
  if (warden.leaving) return no(warden, 'this fence was told to end');
  if (term < warden.highestTerm) return no(warden, `term ${term} is over: term ${warden.highestTerm} was seen`);
  if (nowMs >= atMs) return no(warden, `the deadline of term ${term} has passed already`);
  const before = warden.deadline?.term === term ? warden.deadline.atMs : Number.NEGATIVE_INFINITY;
  const deadline = { term, atMs: Math.max(before, atMs), confirmed: true };
  return { ok: true, warden: { ...warden, deadline, highestTerm: term, unattendedUntilMs: null } };
}

/** A release that went out beside a running primary would make two: it is kept from that here too (model A). */
export function drop(warden: Warden, server: ServerSeen): Answer {
  if (warden.striking !== null) return no(warden, `the server is being killed: ${warden.striking}`);
  if (server === 'primary') return no(warden, 'a server runs that is no standby');
  if (server === 'remnants') return no(warden, 'processes of a server are left that may still commit');
  return { ok: true, warden: { ...warden, deadline: null, unattendedUntilMs: null } };
}

/** May a server become writable now? */
export function mayWrite(warden: Warden, nowMs: number): Answer {
  const { deadline, striking } = warden;
  if (striking !== null) return no(warden, `the server is being killed: ${striking}`);
  if (warden.leaving) return no(warden, 'this fence was told to end');
  if (deadline === null) return no(warden, 'no deadline was given since the last release or start');
  if (nowMs >= deadline.atMs) return no(warden, `the deadline of term ${deadline.term} has passed`);
  if (!deadline.confirmed) return no(warden, 'the deadline was given to an earlier fence, and not confirmed since');
  return { ok: true, warden };
}

/** A standby may start without a deadline, and takes away the one that there is. */
export function mayStandBy(warden: Warden, server: ServerSeen): Answer {
  if (warden.leaving) return no(warden, 'this fence was told to end');
  if (server === 'standby') return no(warden, 'a server runs already');
  return drop(warden, server);
}

/** From now on no deadline moves; `mayLeave` says when it may go. */
export function leave(warden: Warden): Warden {
  return { ...warden, leaving: true };
}

export function mayLeave(warden: Warden, server: ServerSeen): boolean {
  const needed = warden.deadline !== null && (server === 'primary' || server === 'remnants');
  return warden.leaving && warden.striking === null && !needed;
}

/** Is there anything to look at the clock for? */
export function isIdle(warden: Warden): boolean {
  return warden.deadline === null && warden.unattendedUntilMs === null && warden.striking === null && !warden.leaving;
}

/** Should the hardware watchdog be kept from resetting the host? `hold` leaves it to run out unless the kill succeeds. */
export function watchdogWish(warden: Warden, nowMs: number): 'pet' | 'hold' | 'rest' {
  if (warden.striking !== null) return 'hold';
  return warden.deadline !== null && nowMs < warden.deadline.atMs ? 'pet' : 'rest';
}

function no(warden: Warden, because: string): Answer {
  return { ok: false, because, warden };
}
