/**
 * Makes a plan's faults and commands come about in a simulated world, each at its time or after the word that it waits
 * for, and undoes what is to be undone.
 *
 * Invariant: every fault that began is undone once, when its time is over or at the end, but for those that last for ever.
 * Nothing begins after the end.
 */
import type { NodeName } from '../core/spec.ts';
import { isIrreplaceable, leaseHolder } from './checks/healed.ts';
import { beginFault, type FaultKind } from './faults/catalogue.ts';
import { type Plan, settlingMs } from './plan.ts';
import { holder, type PlannedCommand, type PlannedFault, speaker, type When } from './planned-fault.ts';
import type { RunningAgent } from './world/database-machine.ts';
import type { World } from './world/world.ts';

export class Trouble {
  /** Which faults really began; what waits for an event may never come. */
  readonly begun: FaultKind[] = [];
  /** Nodes that are broken for ever. */
  readonly lost = new Set<NodeName>();
  readonly #world: World;
  readonly #offsetMs: number;
  readonly #undo = new Set<() => void>();
  #isOver = false;

  /** The cluster has just formed. */
  constructor(world: World) {
    this.#world = world;
    this.#offsetMs = world.time.nowMs;
  }

  begin({ faults, commands }: Plan): void {
    for (const fault of faults) this.#at(fault.when, (teller) => this.#fail(fault, teller));
    for (const command of commands) this.#at(command.when, () => this.#command(command));
  }

  /** Nothing more begins, and what still goes wrong is undone. */
  end(): void {
    this.#isOver = true;
    for (const undo of [...this.#undo]) undo();
  }

  /** After the end: what nobody undoes. */
  beginForEver(how: FaultKind, node: NodeName): void {
    this.#world.trace.say('FAULT', `${how} ${node} for ever`);
    beginFault(this.#world, how, node, node);
    this.begun.push(how);
  }

  /** `teller`: the node whose word it waited for. */
  #at(when: When, run: (teller: NodeName | null) => void): void {
    const { time } = this.#world;
    const offsetMs = this.#offsetMs;
    const once = (teller: NodeName | null): void => {
      if (!this.#isOver) run(teller);
    };
    if ('atMs' in when) {
      time.after(offsetMs + when.atMs - settlingMs - time.nowMs, () => once(null));
      return;
    }
    let seen = 0;
    const unlisten = this.#world.onEvent((node, name) => {
      if (name !== when.event || time.nowMs < offsetMs + (when.fromMs ?? settlingMs) - settlingMs) return;
      seen += 1;
      if (seen < when.nth) return;
      unlisten();
      time.after(when.delayMs, () => once(node));
    });
  }

  #fail(fault: PlannedFault, teller: NodeName | null): void {
    const { time, trace } = this.#world;
    const node = this.#victim(fault.node, teller);
    if (node === null) return;
    trace.say('FAULT', `${fault.kind} ${node} for ${Math.round(fault.forMs)} ms`);
    const other = fault.other === node ? [...this.#world.machines.keys()].find((name) => name !== node) : fault.other;
    const mayBeLost = !isIrreplaceable(this.#world, node);
    const undo = beginFault(this.#world, fault.kind, node, other ?? node);
    if (undo === null) return;
    this.begun.push(fault.kind);
    if (fault.forEver && mayBeLost) {
      this.lost.add(node);
      return;
    }
    const over = (): void => {
      if (!this.#undo.delete(over)) return;
      trace.say('FAULT', `${fault.kind} ${node} is over`);
      undo();
    };
    this.#undo.add(over);
    if (!fault.forEver) time.after(fault.forMs, over);
  }

  #victim(node: PlannedFault['node'], teller: NodeName | null): NodeName | null {
    if (node === speaker && teller !== null && this.#world.machines.has(teller)) return teller;
    return node === speaker || node === holder ? leaseHolder(this.#world) : node;
  }

  #command(command: PlannedCommand): void {
    const { what, node } = command;
    const agent = this.#world.machines.get(node)?.agent ?? null;
    this.#world.trace.say('ORDER', `${what}, asked of ${node}`);
    if (agent === null) return;
    agent.process.deliver(() => {
      ask(command, agent).then(
        (answer) => this.#world.trace.say('ORDER', `${what}: ${JSON.stringify(answer)}`),
        (error: unknown) => this.#world.trace.say('ORDER', `${what}: ${String(error)}`),
      );
    });
  }
}

async function ask(command: PlannedCommand, { backend, process }: RunningAgent): Promise<unknown> {
  const { what, to = null, paceMs = 0 } = command;
  switch (what) {
    case 'switchover':
      return await backend.switchover(
        { to, forceAfterMs: null, without: [], dryRun: false, paceMs },
        { kind: 'operator', name: 'sim' },
        process.ended,
      );
    case 'cancel': {
      const operation = backend.operation();
      return operation === null ? null : await backend.cancel(operation.id, { kind: 'operator', name: 'sim' });
    }
    case 'reinit':
      return await backend.reinit({}, 'sim');
    case 'restart':
      return await backend.restart({}, 'sim');
    default:
      return what satisfies never;
  }
}
