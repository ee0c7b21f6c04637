/**
 * What an app node's agent does to its pooler, and the gate that it holds by that.
 *
 * Invariant: one action at a time changes the pooler; a drain runs beside them and is ended before the next one. The
 * gate is written down before a pause begins. It acts on actions of a decision only, with one exception: a pause in
 * force that the pooler turns out to have lost is begun again.
 */

import { type CredentialsInUse, type PoolerConfiguration, pausable } from '../core/pooler-configuration.ts';
import type { PauseFigures, PoolerBlocker, PoolerState } from '../core/pooler-report.ts';
import type { PoolerAction } from '../core/rules/pooler-decision.ts';
import { endsAtMs, isShut, limitAtMs, stateOf } from '../core/rules/pooler-gate.ts';
import type { HeldGate, PoolerGateView, PoolerView, ShutGate } from '../core/rules/pooler-memory.ts';
import { describeError, isUnderstudyError } from '../errors/understudy-error.ts';
import type { LocalPooler } from '../ports/pooler.ts';
import { CredentialsSeen } from './app-node-credentials-seen.ts';
import { Drain } from './app-node-drain.ts';
import { EndedPauses } from './app-node-ended-pauses.ts';
import { FormerPrimaries } from './app-node-former-primaries.ts';
import { PoolerLooks } from './app-node-looks.ts';
import type { ActsDeps } from './app-node-ports.ts';

const actWithinMs = 5_000;
/** The rules end a drain at its limit; the pooler's own time is longer, for the case that they can't. */
const drainGraceMs = 1_000;

export class PoolerActs {
  readonly #deps: ActsDeps;
  readonly #former: FormerPrimaries;
  readonly #drain: Drain;
  readonly #looks: PoolerLooks;
  readonly #pauses: EndedPauses;
  readonly #credentials: CredentialsSeen;
  #gate: PoolerGateView = { state: 'open' };
  #strayPause = false;
  #isHoldInForce = false;
  #loaded: PoolerConfiguration | null = null;
  #trouble: string | null = null;

  constructor(deps: ActsDeps) {
    this.#deps = deps;
    this.#drain = new Drain(deps.pooler);
    this.#looks = new PoolerLooks(deps.pooler, deps.clock);
    this.#pauses = new EndedPauses(deps);
    this.#credentials = new CredentialsSeen(() => deps.changed());
    this.#former = new FormerPrimaries(deps.pooler, deps.clock, (primary, connections) => {
      deps.emit('pooler.abandoned', { node: deps.node, primary, connections });
    });
  }

  /** The pooler stays as it is. */
  async close(): Promise<void> {
    await this.#former.close();
  }

  get gate(): PoolerGateView {
    return this.#gate;
  }

  get local(): LocalPooler {
    return this.#looks.local;
  }

  get loaded(): PoolerConfiguration | null {
    return this.#loaded;
  }

  get strayPause(): boolean {
    return this.#strayPause;
  }

  get lastPause(): PauseFigures | null {
    return this.#pauses.last;
  }

  get trouble(): string | null {
    return this.#trouble;
  }

  /** By application, the generation that every server connection is of, as it was seen last; `null`: not known yet. */
  get credentials(): CredentialsInUse | null {
    return this.#credentials.inUse;
  }

  get blockers(): readonly PoolerBlocker[] {
    return this.#gate.state === 'draining' ? this.#drain.blockers : [];
  }

  get process(): PoolerView['process'] {
    return this.#looks.process;
  }

  get state(): PoolerState {
    const { process } = this;
    return stateOf(this.#gate, { process, isHoldInForce: this.#isHoldInForce, isLoaded: this.#loaded !== null });
  }

  /** The process or the connection to it is gone: nothing is known until the next look. */
  lost(): void {
    this.#looks.lost();
    this.#deps.wake();
  }

  /** Goes on with a pause or a hold that an earlier agent began. */
  async takeOver(gate: ShutGate | HeldGate, configuration: PoolerConfiguration): Promise<void> {
    this.#gate = gate.state === 'held' ? gate : { ...gate, state: 'draining' };
    try {
      await this.#deps.pooler.configure(configuration, 'shut', { withinMs: actWithinMs });
      this.#loaded = configuration;
      this.#isHoldInForce = true;
      if (gate.state !== 'held') this.#startDrain();
    } catch (error) {
      this.#failed('configure', error);
    }
  }

  /** In order; what follows one that failed is dropped. Answers whether all succeeded. */
  async perform(actions: readonly PoolerAction[]): Promise<boolean> {
    for (const action of actions) {
      try {
        await this.#performOne(action);
        if (!this.#drain.isUnderWay) this.#trouble = null;
      } catch (error) {
        this.#failed(action.do, error);
        return false;
      }
    }
    return true;
  }

  /** Looks at the process when nothing is known of it; otherwise every 2 s, beside the loop. */
  async observeWhenDue(): Promise<void> {
    if (this.#looks.isBlind) return await this.#observe();
    if (!this.#looks.isDue) return;
    const before = this.local.state;
    this.#observe().then(
      () => {
        if (this.local.state !== before || this.#strayPause) this.#deps.wake();
      },
      () => {
        // `observe` of the port never rejects.
      },
    );
  }

  async #performOne(action: PoolerAction): Promise<void> {
    switch (action.do) {
      case 'configure':
        return await this.#configure(action);
      case 'pause':
        return this.#pause(action);
      case 'hold':
        return await this.#hold(action);
      case 'resume':
        return await this.#resume(action);
    }
  }

  #failed(what: string, error: unknown): void {
    const because = describeError(error);
    const { emit, node } = this.#deps;
    if (this.#trouble !== because) emit('action.failed', { node, action: what, because });
    this.#trouble = because;
    // What the pooler has taken is not known any more, and the process may be gone.
    this.#loaded = null;
    this.#looks.forget();
    this.#deps.changed();
  }

  async #configure(action: Extract<PoolerAction, { do: 'configure' }>): Promise<void> {
    const { pooler, emit, node, primary } = this.#deps;
    await this.#drain.end();
    const changed = await pooler.configure(action.configuration, action.gate, { withinMs: actWithinMs });
    this.#loaded = action.configuration;
    this.#former.leads(this.#deps.primary());
    if (action.gate === 'open') this.#gate = { state: 'open' };
    this.#deps.remember();
    await this.#observe();
    const because = action.because.join(', ');
    if (changed) emit('pooler.configured', { node, primary: primary().node, term: primary().term, because });
    this.#deps.changed();
  }

  #pause(action: Extract<PoolerAction, { do: 'pause' }>): void {
    const { operation, term, limitMs } = action;
    const isSame = isShut(this.#gate) && this.#gate.operation === operation;
    // After the pooler's death in a pause the clock of that pause runs on.
    if (!isSame) this.#gate = { state: 'draining', operation, term, sinceMs: this.#deps.clock.boottimeMs(), limitMs };
    this.#deps.remember();
    this.#startDrain();
    // No report of this state: the one of the drain is a few ms away, and must not wait behind it.
    if (!isSame) this.#deps.emit('pooler.pausing', { node: this.#deps.node, operation });
  }

  async #hold(action: Extract<PoolerAction, { do: 'hold' }>): Promise<void> {
    const { clock, pooler, emit, node } = this.#deps;
    const { configuration, term, limitMs } = action;
    const before = this.#gate;
    await this.#drain.end();
    // After the pooler's death in a hold the clock of that hold runs on.
    const gate: HeldGate =
      before.state === 'held' ? before : { state: 'held', term, sinceMs: clock.boottimeMs(), limitMs };
    this.#isHoldInForce = before.state === 'held' && this.#isHoldInForce;
    this.#gate = gate;
    this.#deps.remember();
    try {
      await pooler.hold(configuration, { withinMs: actWithinMs, limitMs });
    } catch (error) {
      this.#gate = { state: 'open' };
      throw error;
    }
    this.#isHoldInForce = true;
    this.#loaded = configuration;
    if (before.state !== 'held') emit('pooler.held', { node, because: action.because.join(', ') });
    this.#deps.changed();
  }

  #startDrain(): void {
    if (!isShut(this.#gate) || this.#drain.isUnderWay) return;
    const gate: ShutGate = { ...this.#gate, state: 'draining' };
    this.#gate = gate;
    const { clock, changed, remember, wake } = this.#deps;
    const withinMs = Math.max(1, limitAtMs(gate) - clock.boottimeMs()) + drainGraceMs;
    this.#drain.start(withinMs, {
      blocked: changed,
      drained: (drainMs) => this.#drained(gate, drainMs),
      failed: (error) => this.#drainFailed(gate, error),
      over: () => {
        remember();
        wake();
      },
    });
  }

  #drained(gate: ShutGate, drainMs: number): void {
    this.#pauses.drained(drainMs);
    this.#gate = { ...gate, state: 'drained' };
    this.#deps.changed();
    const { emit, node } = this.#deps;
    emit('pooler.paused', { node, operation: gate.operation, drainMs: Math.round(drainMs) });
  }

  #drainFailed(gate: ShutGate, error: unknown): void {
    const because = describeError(error);
    this.#deps.emit('pooler.pause_failed', { node: this.#deps.node, operation: gate.operation, because });
    this.#trouble = because;
    this.#looks.forget();
    // A pooler that was lost has to come back shut, as long as the pause is in force; otherwise all was resumed.
    if (!isUnderstudyError(error, 'POOLER_FAILED')) this.#gate = { state: 'open' };
    this.#deps.changed();
  }

  async #resume(action: Extract<PoolerAction, { do: 'resume' }>): Promise<void> {
    const gate = this.#gate;
    await this.#drain.end();
    const isOverdue = this.#deps.clock.boottimeMs() >= endsAtMs(gate);
    const figures = await this.#deps.pooler
      .resume(action.configuration, { withinMs: actWithinMs, isOverdue })
      .catch((error: unknown) => {
        // Its clients go on where they were; shut again, they would wait for longer than they were to.
        if (isOverdue && isUnderstudyError(error, 'POOLER_FILES_FAILED')) this.#gate = { state: 'open' };
        throw error;
      });
    this.#gate = { state: 'open' };
    this.#strayPause = false;
    this.#loaded = action.configuration;
    this.#former.leads(this.#deps.primary());
    if (gate.state !== 'open') this.#pauses.ended(gate, figures, action.because.join(', '));
    this.#deps.changed();
    this.#deps.remember();
    this.#looks.forget();
  }

  #observe(): Promise<void> {
    const gate = this.#gate;
    const loaded = this.#loaded;
    return this.#looks.look((local, isGone) => {
      this.#credentials.looked(local, loaded, this.#loaded);
      if (local.state === 'stopped') this.#loaded = null;
      if (isGone) this.#deps.emit('pooler.lost', { node: this.#deps.node });
      if (local.state !== 'running' || gate !== this.#gate || this.#drain.isUnderWay) return;
      this.#seenRunning(local, gate);
    });
  }

  /** Seen in one and the same gate from beginning to end, so that no pause or resume of our own came in between. */
  #seenRunning(local: Extract<LocalPooler, { state: 'running' }>, gate: PoolerGateView): void {
    // A queue may be no more than a queue; it is also all that shows of a server that is gone when nobody else comes.
    if (gate.state === 'open' && local.waiting > 0) this.#deps.doubt();
    this.#strayPause = gate.state === 'open' && local.paused.length > 0;
    // Resumed by somebody else's hand, or adopted as it never was: the rules decide anew.
    if (gate.state === 'held' && local.paused.length === 0 && pausable(this.#loaded?.aliases ?? []).length > 0) {
      this.#gate = { state: 'open' };
      this.#deps.wake();
      return;
    }
    const isLost = gate.state === 'draining' || (gate.state === 'drained' && local.paused.length === 0);
    if (isLost) this.#startDrain();
  }
}
