/** What agents fail at while `apply` waits for them: told as it comes, since none of it shows in what a node still owes. */
import { isUnderstudyError } from '../errors/understudy-error.ts';
import type { EventRecord } from '../events/catalogue.ts';
import type { Call } from './call.ts';
import type { ClusterAccess } from './cluster-access.ts';
import { oneLine } from './words.ts';

const everyMs = 1_000;

export class Troubles {
  readonly #call: Call;
  readonly #access: ClusterAccess;
  readonly #told = new Set<string>();
  #after: number | null = null;
  #askedAtMs = Number.NEGATIVE_INFINITY;

  constructor(call: Call, access: ClusterAccess) {
    this.#call = call;
    this.#access = access;
  }

  /** Asked at most once a second; the first time it only finds out what came before. */
  async look(nowMs: number): Promise<void> {
    if (nowMs - this.#askedAtMs < everyMs) return;
    this.#askedAtMs = nowMs;
    const after = this.#after;
    const events = await this.#eventsAfter(after ?? 0);
    this.#after = events.at(-1)?.sequence ?? after ?? 0;
    if (after === null) return;
    for (const { facts, name, node } of events) if (name === 'action.failed') this.#tell(node, String(facts.because));
  }

  #tell(node: string, because: string): void {
    const text = `${node}: ${oneLine(because)}`;
    if (this.#told.has(text)) return;
    this.#told.add(text);
    if (this.#call.terminal.live) this.#call.terminal.raw('\r\u001b[K');
    this.#call.terminal.note(text);
  }

  async #eventsAfter(sequence: number): Promise<readonly EventRecord[]> {
    try {
      return await this.#access.ask((client, asking) => client.events(sequence, asking));
    } catch (error) {
      // Whoever waits for the nodes learns soon enough that nobody answers.
      if (!isUnderstudyError(error)) throw error;
      return [];
    }
  }
}
