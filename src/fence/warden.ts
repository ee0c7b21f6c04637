/**
 * What the fence decides: pure, so that any sequence of messages and jumps of the clock can be tried.
 *
 * Invariants (PROTOCOLS, "Fence"; model A): nothing is let through at or after the deadline; after the deadline the
 * answer is always to kill; a deadline moves only forward within a term, and never to a lower term. A fence that begins
 * with neither a deadline nor the memory of one lets nothing through.
 */
export interface Deadline {
  readonly term: number;
  /** On the boottime clock, in ms. */
  readonly atMs: number;
}

export interface Warden {
  readonly deadline: Deadline | null;
  /** Lower terms are refused, also after a drop. */
  readonly highestTerm: number;
}

export const unarmed: Warden = { deadline: null, highestTerm: 0 };

export type Answer =
  | { readonly ok: true; readonly warden: Warden }
  | { readonly ok: false; readonly because: string; readonly warden: Warden };

export function extend(warden: Warden, term: number, atMs: number): Answer {
  if (term < warden.highestTerm) {
    return { ok: false, because: `term ${term} is over: term ${warden.highestTerm} was seen`, warden };
  }
  const before = warden.deadline?.term === term ? warden.deadline.atMs : Number.NEGATIVE_INFINITY;
  return { ok: true, warden: { deadline: { term, atMs: Math.max(before, atMs) }, highestTerm: term } };
}

export function drop(warden: Warden): Warden {
  return { ...warden, deadline: null };
}

/** May a server become writable now? */
export function mayWrite(warden: Warden, nowMs: number): Answer {
  const { deadline } = warden;
  if (deadline === null) return { ok: false, because: 'no deadline was given since the last release or start', warden };
  if (nowMs >= deadline.atMs) return { ok: false, because: `the deadline of term ${deadline.term} has passed`, warden };
  return { ok: true, warden };
}

/** Must everything of the server be killed now? */
export function mustKill(warden: Warden, nowMs: number): boolean {
  return warden.deadline !== null && nowMs >= warden.deadline.atMs;
}
