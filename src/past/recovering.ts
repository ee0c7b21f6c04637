/** Starts the server of an instance, so that it replays to its target from where its data came from, and waits there. */
import type { ActOptions } from '../ports/postgres.ts';
import { startInstance } from '../restoring/instance.ts';
import { standbyRecovery, standbyRefusal } from '../restoring/standby-copy.ts';
import { type PastParts, socketDirectory } from './parts.ts';
import { dataOf, type InstanceRecord } from './scratch.ts';
import type { FromRepository, FromStandby, PastReports } from './wish.ts';

export type Reached = NonNullable<InstanceRecord['reached']>;

/** Throws what `startInstance` throws; REFUSED where the standby had replayed past the target. */
export async function recover(
  { binaries, clock, repository, run, scratch }: PastParts,
  { id, port, target }: InstanceRecord,
  source: Pick<FromRepository, 'from' | 'timeline'> | FromStandby,
  { onReplayed }: Pick<PastReports, 'onReplayed'>,
  options: ActOptions,
): Promise<Reached> {
  const data = dataOf(scratch.place(id));
  const request = {
    ...{ data, directory: socketDirectory({ run }, id), port, binaries },
    ...({ target: { type: target.type, value: target.value }, hold: 'pause', timeline: source.timeline } as const),
    // A copy has the command of what it was copied from, which names that directory.
    settings:
      source.from === 'standby'
        ? standbyRecovery(source.standby)
        : { restore_command: repository.restoreCommand(data) },
  };
  try {
    const { reached, session } = await startInstance(request, clock, options, onReplayed);
    session.drop();
    return { lsn: reached.lsn, lastCommitAt: reached.lastCommitAt };
  } catch (error) {
    throw source.from === 'standby' ? standbyRefusal(error, source.standby) : error;
  }
}
