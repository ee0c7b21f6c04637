/**
 * Proves that the backups can be restored: brings a moment of the window back on this machine, asserts that it is that moment, looks for
 * corruption, reads every row, and removes everything again.
 *
 * Invariant: what it starts listens on a socket of its own alone, archives nothing and works behind everything else; it ends with this
 * process, and its files lie in one directory, so that whoever comes later can remove what was left (`sweep`).
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { formatMoment, parseMoment } from '../core/backups/moments.ts';
import { drawMoment, isProvable, type ProofResult } from '../core/backups/proof.ts';
import { restoredBytes, whyNoRoom } from '../core/backups/room.ts';
import { isFromSystem } from '../errors/system-error.ts';
import { isUnderstudyError, UnderstudyError } from '../errors/understudy-error.ts';
import { removeTree } from '../past/copying.ts';
import type { Clock } from '../ports/clock.ts';
import type { ProofReports, ProofWish, Prover } from '../ports/prover.ts';
import type { Repository } from '../ports/repository.ts';
import type { Binaries } from '../postgres/binaries.ts';
import { diskOf } from '../restoring/disk.ts';
import { endInstance } from '../restoring/instance-record.ts';
import { findSource, type Source } from '../restoring/source.ts';
import { Examination } from './examination.ts';

export interface ProverParts {
  readonly clock: Clock;
  readonly binaries: () => Promise<Binaries>;
  /** Its own: everything that is restored lies in it. */
  readonly scratch: string;
  /** Its own, for socket and log; short. */
  readonly sockets: string;
  /** From 0 to below 1. */
  readonly draw: () => number;
}

const lookWithinMs = 120_000;
const endWithinMs = 60_000;
/** A disk that is busy lets go of a server late. */
const mostEndings = 10;
const endAgainMs = 5_000;

export function createProver(parts: ProverParts): Prover {
  const { clock, scratch, sockets } = parts;
  const sweep = async (): Promise<void> => {
    await endInstance(sockets, clock, { withinMs: endWithinMs });
    rmSync(sockets, { recursive: true, force: true });
    await removeTree(scratch);
  };
  return {
    sweep,
    async prove(repository, wish, reports, signal) {
      await sweep();
      try {
        return await proveOne(parts, { repository, wish, reports, signal });
      } finally {
        await sweepAtLast(sweep, clock, signal);
      }
    },
  };
}

/** What does not yield says nothing of the backups, so the result stands: the next sweep removes it. */
async function sweepAtLast(sweep: () => Promise<void>, clock: Clock, signal: AbortSignal): Promise<void> {
  for (let ending = 1; ending <= mostEndings && (ending === 1 || !signal.aborted); ending += 1) {
    try {
      await sweep();
      return;
    } catch (error) {
      if (!isUnderstudyError(error) && !isFromSystem(error)) throw error;
      await clock.sleep(endAgainMs, signal).catch(() => undefined);
    }
  }
}

interface Proof {
  readonly repository: Pick<Repository, 'contents' | 'newestPath' | 'restore' | 'restoreCommand'>;
  readonly wish: ProofWish;
  readonly reports: ProofReports;
  readonly signal: AbortSignal;
}

async function proveOne(parts: ProverParts, proof: Proof): Promise<ProofResult> {
  const { clock, scratch, sockets } = parts;
  const { repository, reports, signal, wish } = proof;
  const beganMs = clock.boottimeMs();
  const momentMs = chooseMoment(parts, wish);
  const chosen = await chooseSource(proof, momentMs);
  mkdirSync(scratch, { recursive: true, mode: 0o700 });
  await requireRoom(scratch, chosen);
  const examination = new Examination({
    ...{ clock, binaries: await parts.binaries(), data: join(scratch, 'data'), sockets, repository, reports, signal },
    ...{
      backup: chosen.backup,
      timeline: chosen.timeline,
      spans: wish.wanted === null ? wish.window.stretches : [],
      draw: parts.draw,
    },
  });
  const examined = await examination.run(momentMs);
  return { ...examined, label: chosen.backup.label, tookMs: clock.boottimeMs() - beganMs };
}

function chooseMoment({ draw }: ProverParts, { wanted, window }: ProofWish): number {
  const spans = window.stretches;
  const wantedMs = wanted === null ? undefined : parseMoment(wanted);
  if (wantedMs !== undefined) {
    if (isProvable(spans, wantedMs)) return wantedMs;
    const possible = spans.map(({ fromMs, toMs }) => `${formatMoment(fromMs)} to ${formatMoment(toMs)}`).join(', ');
    throw new UnderstudyError('REFUSED', `${wanted} can't be proven: possible is ${possible || 'nothing yet'}`);
  }
  const drawn = drawMoment(spans, draw());
  if (drawn !== null) return drawn;
  throw new UnderstudyError(
    'REFUSED',
    'there is nothing to prove yet: no commit after a backup is known to be archived',
    {
      hint: 'understudy backup list',
    },
  );
}

async function chooseSource(
  { repository, signal, wish: { segmentBytes, window } }: Proof,
  atMs: number,
): Promise<Source> {
  const target = { type: 'time', value: formatMoment(atMs), atMs } as const;
  const windowOf = async () => ({ window, segmentBytes });
  const found = await findSource({ repository, windowOf }, target, { withinMs: lookWithinMs, signal });
  if ('source' in found) return found.source;
  throw new UnderstudyError('REFUSED', found.notPossible.text);
}

async function requireRoom(directory: string, { backup, walBytes }: Source): Promise<void> {
  const because = whyNoRoom(await diskOf(directory), restoredBytes(backup.databaseBytes, walBytes));
  if (because === null) return;
  throw new UnderstudyError('REFUSED', `no room to restore into ${directory}: ${because}`, {
    hint: 'make room there, put another file system there, or name another node: understudy backup prove --on NODE',
  });
}
