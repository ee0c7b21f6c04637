/** Carries out `apply`: sends the spec, then watches the nodes take it up, whichever agents come and go. */
import { isDeepStrictEqual } from 'node:util';
import type { Spec } from '../core/spec.ts';
import type { ClusterStatus } from '../core/status.ts';
import { exitCodes } from '../errors/exit-codes.ts';
import { describeError, isUnderstudyError, UnderstudyError } from '../errors/understudy-error.ts';
import { findStage } from '../stage/record.ts';
import { Troubles } from './apply-troubles.ts';
import { firstSecret, giveFirstSecret, showBefore } from './backup-secret.ts';
import type { Call } from './call.ts';
import type { ClusterAccess } from './cluster-access.ts';
import { type Owed, owedBy, type Wanted } from './convergence.ts';
import { declareSpec } from './declare-spec.ts';
import { planFile, planLines, refusalOf } from './plan-file.ts';
import { todo } from './status-text.ts';
import { countText, spanText } from './words.ts';

const pollMs = 100;

export async function applyFile(call: Call, file: string, timeoutMs: number): Promise<number> {
  const { terminal } = call;
  const planned = await planFile(call, file);
  const { base, plan, spec } = planned;
  const access = await call.cluster();
  if (!terminal.json) terminal.print(...planLines(planned, terminal.paint));
  const refusal = refusalOf(plan);
  if (refusal !== null) throw refusal;
  const secret = await firstSecret(access, spec, planned.credentialsFile, call.io.cwd);
  const isNew = !isDeepStrictEqual(base.spec, spec);
  const revision = isNew ? await declareSpec(call, access, base, { spec, file }) : base.revision;
  if (!terminal.json && isNew) terminal.print(`Declared as revision ${revision}.`);
  const shown = secret === null ? null : showBefore(call, secret.passphrase);
  if (secret !== null) await giveFirstSecret(access, secret);
  const outcome = await untilConverged(call, access, { spec, revision, before: base.spec, timeoutMs });
  const exit = conclude(call, revision, outcome, secret?.passphrase ?? null);
  shown?.isSafe();
  return exit;
}

interface Awaited extends Wanted {
  readonly timeoutMs: number;
}

interface Outcome {
  readonly status: ClusterStatus | null;
  readonly owed: readonly Owed[];
  readonly tookMs: number;
}

async function untilConverged(call: Call, access: ClusterAccess, wanted: Awaited): Promise<Outcome> {
  const begunAtMs = performance.now();
  const progress = new NodeProgress(call, wanted.spec);
  const troubles = new Troubles(call, access);
  let last: Omit<Outcome, 'tookMs'> = { status: null, owed: [] };
  for (;;) {
    try {
      await troubles.look(performance.now());
      const status = await access.status();
      last = { status, owed: owedBy(status, wanted) };
      progress.show(last.owed);
      if ((status.specRevision ?? 0) >= wanted.revision && last.owed.length === 0) break;
    } catch (error) {
      if (!isUnderstudyError(error) || error.retry === 'never') throw error;
      progress.wait(describeError(error));
    }
    if (call.signal.aborted || performance.now() - begunAtMs > wanted.timeoutMs) break;
    await call.sleep(pollMs);
  }
  progress.close();
  return { ...last, tookMs: performance.now() - begunAtMs };
}

/** Tells each node when it is as declared, and on a terminal what the others still owe. */
class NodeProgress {
  readonly #call: Call;
  readonly #nodes: readonly string[];
  readonly #done = new Set<string>();
  readonly #hinted = new Set<string>();
  readonly #onStage: ReadonlySet<string> | null;

  constructor(call: Call, spec: Spec) {
    this.#call = call;
    this.#nodes = spec.nodes.map((node) => node.name);
    const stage = findStage(call.io.cwd);
    this.#onStage = stage?.cluster === spec.cluster ? new Set(stage.nodes.map((node) => node.name)) : null;
  }

  show(owed: readonly Owed[]): void {
    const { terminal } = this.#call;
    if (terminal.json) return;
    this.close();
    for (const node of this.#nodes) {
      if (this.#done.has(node) || owed.some((debt) => debt.node === node)) continue;
      this.#done.add(node);
      terminal.print(`${terminal.paint('green', '✓')} ${node}`);
    }
    for (const { node, isSilent } of owed) if (isSilent) this.#hint(node);
    if (owed.length > 0) this.wait(owed.map(({ node, text }) => `${node}: ${text}`).join('; '));
  }

  wait(text: string): void {
    const { terminal } = this.#call;
    if (!terminal.live) return;
    const [line = ''] = text.split('\n');
    terminal.raw(`\r\u001b[K${terminal.paint('dim', `… ${line.slice(0, Math.max(0, terminal.columns - 3))}`)}`);
  }

  close(): void {
    if (this.#call.terminal.live) this.#call.terminal.raw('\r\u001b[K');
  }

  #hint(node: string): void {
    if (this.#onStage === null || this.#onStage.has(node) || this.#hinted.has(node)) return;
    this.#hinted.add(node);
    this.#call.terminal.print(`${node} has no agent yet: understudy stage join ${node}`);
  }
}

function conclude(
  { terminal }: Call,
  revision: number,
  { status, owed, tookMs }: Outcome,
  passphrase: string | null,
): number {
  const isDone = status !== null && (status.specRevision ?? 0) >= revision && owed.length === 0;
  const later =
    status === null ? [] : todo({ ...status, nodes: status.nodes.map((node) => ({ ...node, unconverged: [] })) });
  if (terminal.json) {
    const pendingRestart = (status?.nodes ?? []).flatMap(({ node, pendingRestart }) =>
      pendingRestart.length === 0 ? [] : [{ node, pendingRestart }],
    );
    terminal.printJson({
      revision,
      converged: isDone,
      owed: owed.map(({ node, text }) => ({ node, text })),
      pendingRestart,
      ...(passphrase === null ? {} : { passphrase }),
    });
  } else {
    if (isDone) terminal.print(`Every node is as declared, revision ${revision}, after ${spanText(tookMs)}.`);
    if (later.length > 0) terminal.print(...later.map((text) => `${terminal.paint('bold', 'TODO:')} ${text}`));
  }
  if (isDone) return exitCodes.done;
  const debts = owed.map(({ node, text }) => `${node}: ${text}`).join('; ');
  const who = status === null ? 'no agent answered' : `${countText(owed.length, 'node')} not as declared (${debts})`;
  terminal.fail(
    new UnderstudyError('TIMEOUT', `revision ${revision} is declared, but after ${spanText(tookMs)}: ${who}`, {
      hint: 'the nodes go on by themselves: understudy status; understudy why',
    }),
  );
  return exitCodes.failed;
}
