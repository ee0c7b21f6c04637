/**
 * Sends a spec as the next revision, and finds out what became of it where no answer comes: the agent may have carried the
 * order out before it died. Any other agent knows.
 *
 * Invariant: it is sent once. Who is not told that it was declared is told how to look.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Spec } from '../core/spec.ts';
import { isUnderstudyError, UnderstudyError } from '../errors/understudy-error.ts';
import type { Call } from './call.ts';
import type { ClusterAccess } from './cluster-access.ts';
import { type SpecInForce, specInForce } from './plan-file.ts';

const applyWithinMs = 10_000;
/** What was written by an agent that died stands with the others at once, or never. */
const looks = 8;
const lookEveryMs = 250;

/** Answers the revision. Throws CONFLICT, AGENT_UNREACHABLE and what the agent refuses it with. */
export async function declareSpec(
  call: Call,
  access: ClusterAccess,
  base: SpecInForce,
  { spec, file }: { readonly spec: Spec; readonly file: string },
): Promise<number> {
  const order = { baseRevision: base.revision, spec };
  try {
    return (await access.order((client, asking) => client.apply(order, asking), applyWithinMs)).revision;
  } catch (error) {
    if (!isUnderstudyError(error, 'AGENT_UNREACHABLE') && !isUnderstudyError(error, 'TIMEOUT')) throw error;
    const now = await newer(call, access, base.revision);
    if (now !== null && now.revision > base.revision && isDeepStrictEqual(now.spec, spec)) {
      call.terminal.note(
        `the agent's answer got lost: another one says that this is declared, revision ${now.revision}`,
      );
      return now.revision;
    }
    throw unanswered(now, base.revision, file, error);
  }
}

/** The spec in force, as soon as it is another one; `null`: nobody tells. */
async function newer(call: Call, access: ClusterAccess, revision: number): Promise<SpecInForce | null> {
  let last: SpecInForce | null = null;
  for (let look = 0; look < looks && !call.signal.aborted; look += 1) {
    if (look > 0) await call.sleep(lookEveryMs);
    try {
      last = await specInForce(access);
      if (last.revision > revision) return last;
    } catch (error) {
      if (!isUnderstudyError(error)) throw error;
    }
  }
  return last;
}

function unanswered(
  now: SpecInForce | null,
  before: number,
  file: string,
  { code, cause }: UnderstudyError,
): UnderstudyError {
  const lost = 'the agent that was asked to declare the file gave no answer';
  if (now === null) {
    const message = `${lost}, and nobody else says what is in force now`;
    return new UnderstudyError(code, message, {
      hint: `the file may have been applied: look with understudy plan ${file}`,
      cause,
    });
  }
  if (now.revision > before) {
    const message = `${lost}, and somebody else declared revision ${now.revision} meanwhile`;
    return new UnderstudyError('CONFLICT', message, { hint: `look with understudy plan ${file}`, cause });
  }
  const message = `${lost}, and ${now.revision === 0 ? 'nothing' : `revision ${now.revision}`} is in force as before`;
  return new UnderstudyError(code, message, {
    hint: `look once more with understudy plan ${file}, and apply it again if it lists the changes`,
    cause,
  });
}
