/**
 * Carries a read to a server that may serve it, and to the next one when that fails.
 *
 * Invariant: a read that must show a session's writes goes only where they are known to be. The primary comes last, by the
 * pool's own connection and in a READ ONLY transaction; a read fails when that fails too, again and again until its
 * deadline. Only what failed with the server is done elsewhere: what the caller's statement is to blame for is his.
 */

import { channels, type RouteEvent, type RouteReason } from '../diagnostics/channels.ts';
import { CausalReadError, ClusterError, RouterError } from '../errors.ts';
import { CallersError, isWorthReadingElsewhere, sqlstateOf } from '../failure.ts';
import { hasReached, type Position } from '../positions/position.ts';
import { type Eligibility, judgeServers, type LagLimits } from '../routing/eligible.ts';
import type { Candidate, Router } from '../routing/router.ts';
import type { Metering } from '../servers/metering.ts';
import type { CurrentSession } from '../sessions/current-session.ts';
import type { AskPrimary, Requirement, Session } from '../sessions/session.ts';
import { fullJitterMs } from '../timing/backoff.ts';
import type { Runtime } from '../timing/runtime.ts';
import type { Knowledge } from '../topology/knowledge.ts';
import type { Readable } from './readable.ts';

export interface ReadOptions {
  /** As last measured. Default: the pool's. */
  readonly maxLagMs?: number;
  readonly maxLagBytes?: number;
  /** `any`: what the session wrote need not be there. Default: the session's. */
  readonly consistency?: 'any';
}

export interface ReadsDeps {
  readonly servers: ReadonlyMap<string, Readable>;
  readonly primary: PrimaryReads;
  readonly knowledge: Knowledge;
  readonly metering: Metering;
  readonly sessions: CurrentSession;
  readonly router: Router;
  readonly runtime: Runtime;
  readonly askPrimary: AskPrimary;
  readonly datacenter: string | null;
  readonly causalWaitMs: number;
  readonly deadlineMs: number;
}

/** The pool's own connection, as a server to read from. */
export interface PrimaryReads {
  /** `needs`: fails with CausalReadError when who answers does not have it. `moved` is told when the primary is on another timeline. */
  readable(needs: Position | null, moved: (position: Position) => void): Readable;
}

/** What one read has gone through. */
interface Course {
  readonly startedAtMs: number;
  readonly passedOver: string[];
  lacksWrites: boolean;
}

const nothingNeeded: Requirement = { is: 'anything' };
/** What is believed of servers is judged again at each change, and at least this often. */
const judgedForMs = 100;

export class Reads {
  readonly #deps: ReadsDeps;
  #judged: { readonly limits: LagLimits; readonly atMs: number; readonly eligibility: Eligibility } | null = null;

  constructor(deps: ReadsDeps) {
    this.#deps = deps;
    deps.knowledge.onChange(() => {
      this.#judged = null;
    });
  }

  /** Rejects as the module's head says; with what the caller's own work threw as it was. */
  run<T>(limits: LagLimits, isAny: boolean, work: (readable: Readable) => Promise<T>): Promise<T> {
    const session = isAny ? undefined : this.#deps.sessions.get();
    const isPlain = (session === undefined || session.needsNothing) && !channels.route.hasSubscribers;
    if (!isPlain || this.#deps.servers.size === 0) return this.#thoroughly(limits, session, work);
    return this.#straight(limits, work) ?? this.#thoroughly(limits, session, work);
  }

  /** The way of nearly all reads: to the first choice, without anything around it. `null`: not now. */
  #straight<T>(limits: LagLimits, work: (readable: Readable) => Promise<T>): Promise<T> | null {
    const { metering, servers } = this.#deps;
    if (metering.used() !== null) return null;
    let chosen: Candidate | undefined;
    try {
      chosen = this.#choose(this.#eligible(limits).candidates);
    } catch (error) {
      return Promise.reject(error);
    }
    const readable = chosen === undefined ? undefined : servers.get(chosen.name);
    if (chosen === undefined || readable === undefined) return null;
    return work(readable).catch((error: unknown) => {
      if (error instanceof CallersError) throw error.cause;
      if (!isWorthReadingElsewhere(error)) throw error;
      this.#failed(chosen, error);
      return this.#thoroughly(limits, undefined, work);
    });
  }

  async #thoroughly<T>(
    limits: LagLimits,
    session: Session | undefined,
    work: (readable: Readable) => Promise<T>,
  ): Promise<T> {
    const { deadlineMs, metering, runtime, servers } = this.#deps;
    const startedAtMs = runtime.nowMs();
    if (servers.size > 0) {
      const fresh = metering.used();
      if (fresh !== null) await fresh;
    }
    for (let round = 1; ; round += 1) {
      const course: Course = { startedAtMs, passedOver: [], lacksWrites: false };
      try {
        return await this.#round(limits, session, course, work);
      } catch (error) {
        const isOver = runtime.nowMs() - startedAtMs >= deadlineMs;
        if (error instanceof CallersError) throw error.cause;
        if (isOver || !isWorthAnotherRound(error)) throw error;
        await runtime.sleep(fullJitterMs({ baseMs: 50, capMs: 1_000 }, round, runtime.draw()));
      }
    }
  }

  /** Who may serve a read now, whom the router would choose, and why not the others. */
  explain(limits: LagLimits): Eligibility & { readonly router: string; readonly first: string | null } {
    const eligibility = this.#eligible(limits);
    const first = this.#choose(eligibility.candidates)?.name ?? null;
    return { ...eligibility, router: this.#deps.router.name, first };
  }

  async #round<T>(
    limits: LagLimits,
    session: Session | undefined,
    course: Course,
    work: (readable: Readable) => Promise<T>,
  ): Promise<T> {
    const { askPrimary, servers } = this.#deps;
    const requirement = session === undefined ? nothingNeeded : await session.requirement(askPrimary);
    if (requirement.is === 'primary') {
      if (requirement.because === 'pinned') return await this.#onPrimary(null, session, 'pinned', course, work);
      throw new CausalReadError('the primary does not say where it is');
    }
    const needs = requirement.is === 'position' ? requirement.position : null;
    let left = this.#eligible(limits).candidates;
    const hadReplicas = left.some(({ role }) => role === 'replica');
    for (;;) {
      const chosen = this.#choose(left);
      const readable = chosen === undefined ? undefined : servers.get(chosen.name);
      if (chosen === undefined || readable === undefined) break;
      left = left.filter((candidate) => candidate !== chosen);
      if (needs !== null && !(await this.#has(chosen, needs))) {
        course.lacksWrites = true;
        course.passedOver.push(chosen.name);
        continue;
      }
      try {
        return await this.#told(chosen, needs === null ? 'chosen' : 'has-the-writes', course, () => work(readable));
      } catch (error) {
        if (!isWorthReadingElsewhere(error)) throw error;
        this.#failed(chosen, error);
        course.passedOver.push(chosen.name);
      }
    }
    return await this.#onPrimary(needs, session, lastReason(course, hadReplicas), course, work);
  }

  async #onPrimary<T>(
    needs: Position | null,
    session: Session | undefined,
    because: RouteReason,
    course: Course,
    work: (readable: Readable) => Promise<T>,
  ): Promise<T> {
    const { knowledge, primary } = this.#deps;
    const readable = primary.readable(needs, (position) => session?.movedTo(position));
    const server = { name: knowledge.primaryName() ?? 'primary', role: 'primary' as const };
    return await this.#told(server, because, course, () => work(readable));
  }

  /** One of the candidates themselves, whatever a router of somebody else's makes of them. */
  #choose(candidates: readonly Candidate[]): Candidate | undefined {
    const { router, runtime } = this.#deps;
    let chosen: Candidate | undefined;
    try {
      chosen = router.choose(candidates, runtime.draw);
    } catch (error) {
      throw new RouterError(router.name, error);
    }
    return candidates.find((candidate) => candidate === chosen || candidate.name === chosen?.name);
  }

  /** Waits a moment where that is likely to help, and not where the server is far behind. */
  async #has({ name }: Candidate, needs: Position): Promise<boolean> {
    const { causalWaitMs, knowledge, metering, runtime } = this.#deps;
    const known = knowledge.positionOf(name);
    if (known !== null && hasReached(known, needs)) return true;
    const untilMs = runtime.nowMs() + causalWaitMs;
    if (knowledge.isKnownToBeBehind(name, causalWaitMs)) return false;
    for (let pauseMs = 1; ; pauseMs *= 2) {
      await metering.measure(name);
      const position = knowledge.positionOf(name);
      if (position !== null && hasReached(position, needs)) return true;
      if (position === null || position.timeline !== needs.timeline) return false;
      if (knowledge.isKnownToBeBehind(name, causalWaitMs) || runtime.nowMs() + pauseMs > untilMs) return false;
      await runtime.sleep(pauseMs);
    }
  }

  #failed({ name }: Candidate, error: unknown): void {
    // Replay that stood in the way of one query says nothing of the next.
    if (sqlstateOf(error)?.startsWith('40') === true) return;
    this.#deps.knowledge.failed(name);
    void this.#deps.metering.measure(name);
  }

  #eligible(limits: LagLimits): Eligibility {
    const { datacenter, knowledge, runtime } = this.#deps;
    const nowMs = runtime.nowMs();
    const last = this.#judged;
    if (last !== null && last.limits === limits && nowMs - last.atMs < judgedForMs) return last.eligibility;
    const eligibility = judgeServers(knowledge.beliefs(), limits, datacenter, nowMs);
    this.#judged = { limits, atMs: nowMs, eligibility };
    return eligibility;
  }

  async #told<T>(
    server: Pick<RouteEvent, 'role'> & { readonly name: string },
    because: RouteReason,
    course: Course,
    work: () => Promise<T>,
  ): Promise<T> {
    if (!channels.route.hasSubscribers) return await work();
    const tell = (error: unknown): void => {
      const durationMs = this.#deps.runtime.nowMs() - course.startedAtMs;
      const { passedOver } = course;
      const { name, role } = server;
      const thrown = error instanceof CallersError ? error.cause : error;
      channels.route.publish({ server: name, role, because, passedOver, durationMs, error: thrown });
    };
    try {
      const result = await work();
      tell(null);
      return result;
    } catch (error) {
      tell(error);
      throw error;
    }
  }
}

function lastReason({ lacksWrites, passedOver }: Course, hadReplicas: boolean): RouteReason {
  if (lacksWrites) return 'no-replica-has-the-writes';
  return hadReplicas && passedOver.length === 0 ? 'router-chose-none' : 'no-replica';
}

function isWorthAnotherRound(error: unknown): boolean {
  if (error instanceof ClusterError) return error instanceof CausalReadError;
  return isWorthReadingElsewhere(error);
}
