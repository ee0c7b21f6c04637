/**
 * What Ctrl-C does to a switchover: the first asks the cluster to undo it, the second leaves it alone.
 *
 * A switchover that has not begun is asked to be undone as soon as it has.
 */
import { describeError } from '../errors/understudy-error.ts';
import type { Call } from './call.ts';
import type { ClusterAccess } from './cluster-access.ts';

const cancelWithinMs = 5_000;

export class Interruption {
  readonly #call: Call;
  readonly #access: ClusterAccess;
  #operation: string | null = null;
  #times = 0;
  /** Fires at the second Ctrl-C. */
  readonly #left = new AbortController();

  constructor(call: Call, access: ClusterAccess) {
    this.#call = call;
    this.#access = access;
    call.takeInterrupts(() => this.#interrupt());
  }

  get left(): AbortSignal {
    return this.#left.signal;
  }

  get isWanted(): boolean {
    return this.#times > 0;
  }

  begun(operation: string): void {
    this.#operation = operation;
    if (this.#times > 0) void this.#cancel(operation);
  }

  #interrupt(): void {
    this.#times += 1;
    const { terminal } = this.#call;
    if (this.#times > 1) {
      this.#left.abort(new Error('interrupted twice'));
      return;
    }
    if (terminal.live) terminal.raw('\n');
    terminal.note('asking the cluster to undo it; Ctrl-C again leaves it alone');
    if (this.#operation !== null) void this.#cancel(this.#operation);
  }

  /** Never rejects: what becomes of it is seen by watching the operation. */
  async #cancel(operation: string): Promise<void> {
    const { terminal } = this.#call;
    try {
      const answer = await this.#access.order((client, asking) => client.cancel(operation, asking), cancelWithinMs);
      terminal.note(
        answer.accepted ? `${operation}: ${answer.because}` : `${operation} can't be undone: ${answer.because}`,
      );
    } catch (error) {
      terminal.note(`${operation} could not be cancelled: ${describeError(error)}`);
    }
  }
}
