/**
 * How far a rollover is, as the cluster and the directory of its authority say: the phase, what that still waits for, and what is
 * to be done next. Looks, and changes nothing.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TrustState, TrustStatement } from '../core/trust-record.ts';
import { describeError, isUnderstudyError } from '../errors/understudy-error.ts';
import { isBeingFinished, isRollingOver, nextDirectory } from '../pki/rollover-files.ts';
import { areAmong, fingerprintOf, joinRoots, judgeTrust } from '../pki/trust-statement.ts';
import type { Call } from './call.ts';

export interface RolloverStanding {
  /** `begun`: no node was told of the next root; `unknown`: the cluster could not be asked. */
  readonly phase: 'begun' | 'trusting' | 'issuing' | 'finishing' | 'unknown';
  /** In words; empty: the phase is over, as far as is known. */
  readonly waitsFor: readonly string[];
  readonly next: string;
}

const commands = {
  begin: 'understudy ca rollover',
  issue: 'understudy ca rollover --issue',
  finish: 'understudy ca rollover --finish',
} as const;

/** `null`: none is under way in this directory. */
export async function rolloverStanding(call: Call, directory: string): Promise<RolloverStanding | null> {
  if (isBeingFinished(directory)) return { phase: 'finishing', waitsFor: [], next: commands.finish };
  if (!isRollingOver(directory)) return null;
  const root = (of: string) => readFileSync(join(of, 'root.crt'), 'utf8');
  const next = root(nextDirectory(directory));
  try {
    const access = await call.cluster();
    const state = await access.ask((client, asking) => client.trust(asking));
    const trust = { cluster: access.cluster, rootsPem: joinRoots(root(directory), next) };
    const judged = state.record === null ? null : judgeTrust(state.record, trust);
    if (judged?.ok === false) return unknown(judged.because);
    return standingOf(state, judged?.statement ?? null, next);
  } catch (error) {
    if (!isUnderstudyError(error)) throw error;
    return unknown(describeError(error));
  }
}

function unknown(because: string): RolloverStanding {
  return { phase: 'unknown', waitsFor: [`the cluster could not be asked: ${because}`], next: commands.begin };
}

export function standingOf(state: TrustState, statement: TrustStatement | null, nextRootPem: string): RolloverStanding {
  if (statement === null || !areAmong(nextRootPem, statement.rootsPem)) {
    return { phase: 'begun', waitsFor: [], next: commands.begin };
  }
  const waitsFor = behind(state);
  if (areAmong(statement.rootsPem, nextRootPem)) return { phase: 'finishing', waitsFor, next: commands.finish };
  if (statement.issueFrom !== fingerprintOf(nextRootPem)) {
    return { phase: 'trusting', waitsFor, next: waitsFor.length === 0 ? commands.issue : commands.begin };
  }
  const all = [...waitsFor, ...state.resting];
  return { phase: 'issuing', waitsFor: all, next: all.length === 0 ? commands.finish : commands.issue };
}

/** Nodes that have not taken over what was said last. */
export function behind({ nodes, record }: Pick<TrustState, 'nodes' | 'record'>): readonly string[] {
  return nodes
    .filter(({ number }) => number !== (record?.number ?? null))
    .map(({ node }) => `${node} has not followed`);
}

const phases: Readonly<Record<RolloverStanding['phase'], string>> = {
  begun: 'the next root is made, and no node trusts it yet',
  trusting: 'every node is to trust both roots',
  issuing: 'everything is to be issued under the next root',
  finishing: 'the former root is to be trusted no more',
  unknown: 'its phase is not known',
};

/** One line of what is to be done. */
export function rolloverText({ next, phase, waitsFor }: RolloverStanding): string {
  const waiting = phase === 'unknown' ? '' : 'it waits: ';
  const rest = waitsFor.length === 0 ? '' : `; ${waiting}${waitsFor.join(', ')}`;
  return `a rollover is under way: ${phases[phase]}${rest} (${next})`;
}
