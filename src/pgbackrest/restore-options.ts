/** A restore as options of pgBackRest (its user guide, "Point-in-Time Recovery"). */
import { join } from 'node:path';
import type { RestoreRequest, RestoreTarget } from '../ports/repository.ts';

/** pgBackRest wants PostgreSQL's form of a time: a space for the T, and an offset. */
function timestamp(value: string): string {
  const at = new Date(value);
  const fraction = /\.(\d+)/.exec(value)?.[1];
  const seconds = at.toISOString().slice(0, 19).replace('T', ' ');
  // To the microsecond, which a Date does not have.
  return `${seconds}${fraction === undefined ? '' : `.${fraction.slice(0, 6)}`}+00`;
}

/** pgBackRest (2.45) puts quotes around a value for postgresql.auto.conf, and leaves those in it as they are. */
function configurationText(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll("'", "''");
}

function target(wanted: RestoreTarget): readonly string[] {
  switch (wanted.type) {
    case 'time':
      return ['--type=time', `--target=${timestamp(wanted.value)}`];
    case 'lsn':
    case 'xid':
    case 'name':
      return [`--type=${wanted.type}`, `--target=${configurationText(wanted.value)}`];
    case 'immediate':
    case 'default':
    case 'standby':
      return [`--type=${wanted.type}`];
    default:
      return wanted satisfies never;
  }
}

/** `work`: a directory of this restore alone; with the node's own spool pgBackRest would take what its archiver has there. */
export function restoreOptions(request: RestoreRequest, restoreCommand: string, work: string): readonly string[] {
  const { type } = request.target;
  const acts = type !== 'default' && type !== 'standby';
  return [
    `--set=${request.set}`,
    `--pg1-path=${request.into}`,
    `--lock-path=${join(work, 'lock')}`,
    `--spool-path=${join(work, 'spool')}`,
    // One directory for all of them: a clone must not touch the paths that the tablespaces live at.
    `--tablespace-map-all=${request.into}.tablespaces`,
    ...target(request.target),
    ...(acts ? [`--target-action=${request.action}`] : []),
    ...(type === 'immediate' ? [] : [`--target-timeline=${request.timeline}`]),
    `--recovery-option=restore_command=${configurationText(restoreCommand)}`,
    ...(request.archives ? [] : ['--archive-mode=off']),
    ...(request.delta ? ['--delta'] : []),
    ...(request.processes === undefined ? [] : [`--process-max=${request.processes}`]),
  ];
}
