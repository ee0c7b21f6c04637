/**
 * What this library tells on `node:diagnostics_channel`, and as attributes of OpenTelemetry.
 *
 * Invariant: nothing is put together for a channel that nobody listens to. Never a statement's text or its values.
 */
import { channel } from 'node:diagnostics_channel';
import type { Outcome } from '../errors.ts';
import type { Mode } from '../topology/mode.ts';

/** Why a read went where it went. */
export type RouteReason =
  /** The router chose it among the candidates. */
  | 'chosen'
  /** A session that has to see its own writes, and this server has them. */
  | 'has-the-writes'
  /** No replica is known to have the session's writes. */
  | 'no-replica-has-the-writes'
  /** By time: the session wrote a moment ago. */
  | 'pinned'
  /** There is no replica that may serve, or all that were tried failed. */
  | 'no-replica'
  /** The router chose none. */
  | 'router-chose-none';

export interface RouteEvent {
  readonly server: string;
  readonly role: 'primary' | 'replica';
  readonly because: RouteReason;
  /** Servers that failed, or did not have the session's writes, before this one. */
  readonly passedOver: readonly string[];
  readonly durationMs: number;
  /** `null`: it succeeded. */
  readonly error: unknown;
}

export type SettledBy = 'answer' | 'key' | 'id';

export interface TransactionEvent {
  readonly attempts: number;
  readonly durationMs: number;
  readonly durability: string;
  /** What showed that it was committed: COMMIT's own answer, the row of its key, its id; `null`: it was not, or was dropped. */
  readonly settledBy: SettledBy | null;
  /** `committed`, or what became of it. */
  readonly outcome: 'committed' | Outcome;
  readonly error: unknown;
}

export interface ModeEvent {
  readonly mode: Mode;
  readonly because: string;
  readonly primary: string | null;
}

export const channels = {
  route: channel('understudy:route'),
  transaction: channel('understudy:transaction'),
  mode: channel('understudy:mode'),
};

/** By the names of OpenTelemetry's conventions for databases where there is one. */
export function routeAttributes(event: RouteEvent): Readonly<Record<string, string | number>> {
  return {
    'db.system.name': 'postgresql',
    'understudy.server': event.server,
    'understudy.role': event.role,
    'understudy.because': event.because,
    'understudy.passed_over': event.passedOver.length,
  };
}
