/** Whether a simulated server still answers a commit, and if not, whether its WAL goes on all the same. */
import type { WriteProbe } from '../../core/write-probe.ts';
import type { ActOptions } from '../../ports/postgres.ts';
import type { ActTime } from './act.ts';
import type { FakeServer } from './server.ts';
import type { CommitOutcome } from './server-process.ts';

/** Never throws: what went wrong is the answer. */
export async function probeWrite(server: FakeServer, time: ActTime, options: ActOptions): Promise<WriteProbe> {
  const { process, disk } = server;
  const before = disk.flushed;
  // To a stopped server one connects, and waits.
  if (process !== null && process.freeze !== 'none') {
    await time.pause(options.withinMs);
    return { came: disk.flushed > before ? 'advancing' : 'silent', text: 'no answer' };
  }
  const { clock } = time;
  const begunAtMs = clock.boottimeMs();
  let outcome: CommitOutcome | null = null;
  const answer = (came: CommitOutcome): void => {
    outcome = came;
  };
  server.commits.execute({ row: 0, replicated: false, answer });
  const come = (): CommitOutcome | null => outcome;
  await time.until(options, 'no answer', () => come() !== null).catch(() => undefined);
  switch (come()) {
    case 'committed':
      return { came: 'written', tookMs: clock.boottimeMs() - begunAtMs };
    case null:
      return { came: disk.flushed > before ? 'advancing' : 'silent', text: 'no answer' };
    case 'broken':
      return { came: 'refused', text: 'the connection broke' };
    default:
      return { came: 'moot', text: 'not a primary' };
  }
}
