/**
 * Has a node examined by another process, the command line: the checks read whatever there is, and an agent that renews
 * a lease must neither spend its time on that nor wait for a disk that hangs.
 *
 * Invariant: it answers within its time, whatever becomes of the checks.
 */
import { z } from 'zod';
import type { DoctorFinding } from '../api/contract/looks.ts';
import { describeError, isUnderstudyError } from '../errors/understudy-error.ts';
import { run } from '../process/run.ts';
import { bad } from './finding.ts';

/** Less than the time of the request, which waits for them. */
const checksWithinMs = 20_000;

const output = z.tuple([
  z.object({
    findings: z.array(
      z.object({
        check: z.string(),
        verdict: z.enum(['ok', 'warning', 'failure']),
        text: z.string(),
        hint: z.string().nullable(),
      }),
    ),
  }),
]);

/** `program`: the command line's; `nodeFile`: its path. Asked again meanwhile, it answers with the same examination. */
export function examiner(
  program: string,
  nodeFile: string,
  withinMs: number = checksWithinMs,
): () => Promise<readonly DoctorFinding[]> {
  let running: Promise<readonly DoctorFinding[]> | null = null;
  return () => {
    running ??= examineAside(program, nodeFile, withinMs).finally(() => {
      running = null;
    });
    return running;
  };
}

async function examineAside(program: string, nodeFile: string, withinMs: number): Promise<readonly DoctorFinding[]> {
  try {
    const args = [program, 'doctor', '--config', nodeFile, '--json'];
    const { stdout } = await run(process.execPath, args, { withinMs, anyExit: true });
    return output.parse(JSON.parse(stdout))[0].findings;
  } catch (error) {
    if (isUnderstudyError(error, 'TIMEOUT')) {
      const hint = 'a disk that does not answer holds up whoever reads it: see dmesg on that host';
      return [bad('doctor', 'failure', `the checks of this node did not end within ${withinMs / 1_000} s`, hint)];
    }
    const hint = `run understudy doctor --config ${nodeFile} on that node`;
    return [bad('doctor', 'failure', `the checks of this node failed: ${describeError(error)}`, hint)];
  }
}
