/**
 * One client's conversation with the server, message by message. No I/O: what is to be sent goes to the ports.
 *
 *   start-up -> ready -> a cycle of steps -> ready ...
 *
 * Invariant: one cycle is under way at a time; what the client sends meanwhile waits, but for what belongs to the cycle. The
 * client gets one ReadyForQuery for each cycle, with the status that the server is in after the last step.
 */
import type { CommitFault, CommitFaults } from '../commit-faults.ts';
import { disguised } from '../disguise.ts';
import { isReadOnlyBegin, type Statement, statementsOf } from '../sql/statements.ts';
import type { Frame } from '../wire/frames.ts';
import {
  boundStatement,
  parseOf,
  parseWith,
  query,
  queryText,
  readyForQuery,
  statusOf,
  type TransactionStatus,
} from '../wire/messages.ts';
import { CommitWatch } from './commit-watch.ts';
import { accessSteps, type Behaviour, extendedSteps, type Step, simpleSteps } from './steps.ts';

export interface RelayPorts {
  toClient(bytes: Buffer): void;
  toServer(bytes: Buffer): void;
  /** The connection is to be lost: the server's end before the client's, or after it. Nothing is relayed any more. */
  cut(first: 'client' | 'server'): void;
  /** How the server is now. */
  behaviour(): Behaviour;
  /** `null`: nothing befalls commits here. */
  readonly commits: CommitFaults | null;
}

const copyTypes = 'dcf';
const extendedTypes = 'PBDECHS';

export class Relay {
  readonly #ports: RelayPorts;
  readonly #named = new Map<string, readonly Statement[]>();
  #isReady = false;
  #isCut = false;
  #status: TransactionStatus = 'I';
  #queue: Frame[] = [];
  #step: Step | null = null;
  #steps: Step[] = [];
  /** All of the client's part of the step is sent. */
  #isSent = false;
  /** Of this cycle: a step was answered with an error. */
  #hasFailed = false;
  /** That was before the client's own part began. */
  #isPassedOver = false;
  /** The transaction that is open was begun READ ONLY. */
  #isReadOnly = false;
  #wasReadOnly = false;
  #commit: CommitWatch | null = null;
  #key: Buffer | null = null;

  constructor(ports: RelayPorts) {
    this.#ports = ports;
  }

  /** A transaction is open, or a statement under way. A client that was told of an error takes its statement for ended. */
  get isBusy(): boolean {
    const isEnded = this.#step === null || (this.#hasFailed && this.#isSent);
    return this.#isReady && (this.#status !== 'I' || !isEnded);
  }

  /** By which a statement under way is cancelled; `null`: not told yet. */
  get backendKey(): Buffer | null {
    return this.#key;
  }

  fromClient(frame: Frame): void {
    if (this.#isCut) return;
    if (!this.#isReady) {
      this.#ports.toServer(frame.bytes);
      return;
    }
    this.#queue.push(frame);
    this.#pump();
  }

  fromServer(frame: Frame): void {
    if (this.#isCut) return;
    if (!this.#isReady) {
      if (frame.type === 'K') this.#key = Buffer.from(frame.body);
      this.#isReady = frame.type === 'Z';
      this.#ports.toClient(frame.bytes);
      this.#pump();
      return;
    }
    if (frame.type === 'Z') {
      this.#status = statusOf(frame.body);
      if (this.#status === 'I') this.#isReadOnly = false;
      this.#stepEnded();
      return;
    }
    if (frame.type === 'E') this.#hasFailed = true;
    // In a COPY the server passes over the Sync that came before its data.
    if (frame.type === 'G' && this.#step?.is === 'extended') this.#isSent = false;
    // What was added is not seen, but for what the session itself is told meanwhile.
    if (this.#step?.is === 'added' && !'EAS'.includes(frame.type)) return;
    for (const bytes of this.#commit?.answered(frame) ?? [frame.bytes]) this.#ports.toClient(bytes);
  }

  /** The connection is gone. */
  close(): void {
    this.#isCut = true;
    for (const step of [this.#step, ...this.#steps]) if (step?.is === 'added') step.over();
    this.#commit?.abandon();
    this.#commit = null;
    this.#step = null;
    this.#steps = [];
    this.#queue = [];
  }

  #pump(): void {
    while (!this.#isCut) {
      const [frame] = this.#queue;
      if (frame === undefined) return;
      if (this.#step === null) {
        this.#begin(frame);
        continue;
      }
      const isItsOwn = this.#step.is === 'extended' && !this.#isSent;
      if (!isItsOwn && (this.#step.is === 'added' || !copyTypes.includes(frame.type))) return;
      this.#queue.shift();
      this.#pass(frame);
    }
  }

  /** A cycle begins. A message of the extended protocol stays in the queue for its step. */
  #begin(frame: Frame): void {
    this.#hasFailed = false;
    if (frame.type === 'Q') this.#beginSimple(frame);
    else if (extendedTypes.includes(frame.type)) this.#beginExtended(frame);
    else {
      this.#queue.shift();
      // A function call is answered by ReadyForQuery; Terminate and what is left of a COPY that failed by nothing.
      if (frame.type === 'F') this.#start([{ is: 'simple', bytes: frame.bytes }]);
      else this.#ports.toServer(frame.bytes);
    }
  }

  #beginSimple(frame: Frame): void {
    this.#queue.shift();
    const text = queryText(frame.body);
    const statements = statementsOf(text);
    const behaviour = this.#ports.behaviour();
    this.#running(statements);
    if (this.#isCut) return;
    if (this.#status === 'I') this.#start([...this.#access(behaviour), ...simpleSteps(text, statements, behaviour)]);
    else this.#start([{ is: 'simple', bytes: query(disguised(text, behaviour.face)) }]);
  }

  #beginExtended(frame: Frame): void {
    const behaviour = this.#ports.behaviour();
    const [first] = this.#statementsIn(frame);
    if (this.#status === 'I') this.#start([...this.#access(behaviour), ...extendedSteps(first, behaviour)]);
    else this.#start([{ is: 'extended' }]);
  }

  #access(behaviour: Behaviour): Step[] {
    const steps = accessSteps(behaviour, this.#wasReadOnly);
    this.#wasReadOnly = behaviour.refusesWrites;
    return steps;
  }

  #start(steps: Step[]): void {
    this.#steps = steps;
    this.#next();
  }

  #next(): void {
    const step = this.#steps.shift();
    if (step === undefined) {
      this.#step = null;
      this.#ports.toClient(readyForQuery(this.#status));
      this.#pump();
      return;
    }
    this.#step = step;
    this.#isSent = step.is !== 'extended';
    this.#isPassedOver = step.is === 'extended' && this.#hasFailed;
    if (step.is === 'extended') {
      this.#pump();
      return;
    }
    if (this.#hasFailed && !(step.is === 'added' && step.isLast)) {
      this.#stepEnded();
      return;
    }
    this.#ports.toServer(step.is === 'added' ? query(step.text) : step.bytes);
  }

  #stepEnded(): void {
    const step = this.#step;
    if (step === null) return;
    if (step.is === 'added') step.over();
    else if (this.#commit !== null) {
      const kept = this.#commit.ended();
      this.#commit = null;
      if (kept === 'lost') {
        this.#cut('client');
        return;
      }
      for (const bytes of kept) this.#ports.toClient(bytes);
    }
    this.#next();
  }

  /** A message within the cycle that is under way. */
  #pass(frame: Frame): void {
    if (this.#isPassedOver) {
      // As the server does itself: what follows an error is passed over up to Sync.
      if (frame.type === 'S') this.#stepEnded();
      return;
    }
    if (frame.type === 'P') {
      const { name, text } = parseOf(frame.body);
      this.#named.set(name, statementsOf(text));
      const said = disguised(text, this.#ports.behaviour().face);
      this.#ports.toServer(said === text ? frame.bytes : parseWith(frame.body, said));
      return;
    }
    if (frame.type === 'B') this.#running(this.#named.get(boundStatement(frame.body)) ?? []);
    if (this.#isCut) return;
    if (frame.type === 'S') this.#isSent = true;
    this.#ports.toServer(frame.bytes);
  }

  #statementsIn({ body, type }: Frame): readonly Statement[] {
    if (type === 'P') return statementsOf(parseOf(body).text);
    return type === 'B' ? (this.#named.get(boundStatement(body)) ?? []) : [];
  }

  /** These are about to be run. */
  #running(statements: readonly Statement[]): void {
    if (statements.some(isReadOnlyBegin)) this.#isReadOnly = true;
    const isOpen = this.#status === 'T' || statements.some(({ kind }) => kind === 'begin');
    if (!isOpen || this.#isReadOnly || !statements.some(({ kind }) => kind === 'commit')) return;
    const fault: CommitFault | null = this.#ports.commits?.take() ?? null;
    if (fault === null) return;
    if (fault.mishap === 'not-carried-out') {
      fault.strike();
      this.#cut('server');
    } else this.#commit = new CommitWatch(fault);
  }

  #cut(first: 'client' | 'server'): void {
    this.close();
    this.#ports.cut(first);
  }
}
