/**
 * Can this node take part in backups: the program, the secret, the repository, the archiver, and room for what waits to be sent?
 *
 * Judges what it is given, and asks nobody. Whether the passphrase is kept elsewhere no program can know: it says so.
 */
import type { DoctorFinding } from '../api/contract/looks.ts';
import { ageText, bytesText, countText } from '../core/amounts.ts';
import type { StalledArchive } from '../core/backup-run.ts';
import type { ArchivingOff } from '../core/backups/archiving-off.ts';
import { oldCommitMs } from '../core/backups/standing.ts';
import type { ArchiverFacts } from '../core/local-postgres.ts';
import type { RepositoryContents } from '../core/repository.ts';
import { bad, ok } from './finding.ts';

export interface BackupFacts {
  /** Such as `/usr/bin/pgbackrest 2.45`; or why there is none. */
  readonly program: { readonly found: string } | { readonly missing: string };
  /** Where it lies, as a URL. */
  readonly place: string;
  readonly secret: 'given' | 'missing' | 'not-sealed-here';
  /** What this node found there just now; `null`: it could not ask. It may also take longer than anybody waits here. */
  readonly contents: RepositoryContents | 'not-in-time' | null;
  /** By whoever is primary; `null`: nobody has looked yet. */
  readonly lastLook: {
    readonly node: string;
    readonly ageMs: number;
    readonly state: RepositoryContents['state'];
  } | null;
  /** Why it could not ask, or can't use it. */
  readonly trouble: string | null;
  /** Of the primary, on its own node alone. */
  readonly archiving: Archiving | null;
  /** Where WAL waits to be sent; `null`: nobody knows. */
  readonly spoolFreeBytes: number | null;
  readonly spool: string;
}

export interface Archiving {
  readonly archiver: ArchiverFacts;
  /** `null`: it archives. */
  readonly off: ArchivingOff | null;
  readonly stalled: StalledArchive | null;
  /** Age of the newest commit in the repository; `null`: none is known. */
  readonly commitAgeMs: number | null;
}

/** Segments that are fetched or sent ahead take little; a repository that can't be reached leaves its marks here, too. */
const littleSpoolBytes = 256 * 1024 ** 2;
export function checkBackups(facts: BackupFacts): readonly DoctorFinding[] {
  return [
    program(facts),
    secret(facts),
    repository(facts),
    ...(facts.archiving === null ? [] : [archiving(facts.archiving)]),
    spool(facts),
  ];
}

function program({ program: said }: BackupFacts): DoctorFinding {
  const check = 'pgbackrest';
  if ('found' in said) return ok(check, said.found);
  const hint = 'install the pgbackrest package (2.45 or later), in /usr/bin or on the PATH of the agent';
  return bad(check, 'failure', said.missing, hint);
}

function secret({ secret: state }: BackupFacts): DoctorFinding {
  const check = 'secret of the repository';
  switch (state) {
    case 'given':
      return ok(check, 'sealed to this node; keep the passphrase where no server is: without it every backup is lost');
    case 'not-sealed-here': {
      const hint = 'a node that has it seals it within seconds; if none is left: understudy backup secret';
      return bad(check, 'failure', 'other nodes have it, and it is not sealed to this one', hint);
    }
    case 'missing':
      return bad(check, 'failure', 'it has not been given: no WAL is archived', 'give it: understudy backup secret');
    default:
      return state satisfies never;
  }
}

function repository({ contents, lastLook, place, trouble }: BackupFacts): DoctorFinding {
  const check = 'repository';
  if (contents === 'not-in-time') {
    const last = lastLook === null ? '' : `; ${lastLook.node} looked ${ageText(lastLook.ageMs)} ago: ${lastLook.state}`;
    return bad(
      check,
      'warning',
      `${place} is slow to answer${last}`,
      'see what was found last: understudy backup info',
    );
  }
  const because = contents?.trouble ?? trouble;
  if (contents === null) {
    const text = `${place} could not be asked${because === null ? '' : `: ${because}`}`;
    return bad(check, 'failure', text, 'mend what stands above, then look again: understudy backup info');
  }
  switch (contents.state) {
    case 'ok':
      return contents.backups.length === 0
        ? bad(check, 'warning', `${place} has no backup yet`, 'make one: understudy backup now')
        : ok(check, `${place}: ${countText(contents.backups.length, 'backup')}`);
    case 'empty':
      return bad(check, 'warning', `${place} is empty`, 'the primary makes it ready by itself: understudy backup info');
    case 'foreign': {
      const hint = "name another place or prefix, or give the repository's own passphrase: understudy backup secret";
      return bad(check, 'failure', `${place} is not this cluster's: ${because ?? ''}`, hint);
    }
    case 'unreachable': {
      const hint = 'check endpoint, CA and credentials in the cluster file, and the way there from this node';
      return bad(check, 'failure', `${place} can't be reached: ${because ?? ''}`, hint);
    }
    default:
      return contents.state satisfies never;
  }
}

function archiving({ archiver, commitAgeMs, off, stalled }: Archiving): DoctorFinding {
  const check = 'archiving';
  if (off !== null) return bad(check, 'failure', off.text, off.commands);
  if (archiver.failing !== null) {
    const text = `${archiver.failing.segment} could not be archived, ${countText(archiver.waiting, 'file waits', 'files wait')}`;
    const hint = "PostgreSQL's log and understudy backup info say why; nothing is lost while the disk lasts";
    return bad(check, stalled === null ? 'warning' : 'failure', text, hint);
  }
  if (commitAgeMs === null) {
    const hint = 'wait for a minute; then see understudy backup info';
    return bad(check, 'warning', 'no commit is known to be in the repository yet', hint);
  }
  const text = `the newest commit in the repository is ${ageText(commitAgeMs)} old`;
  if (commitAgeMs < oldCommitMs) return ok(check, text);
  return bad(check, 'failure', text, 'archive_timeout is a minute: see pg_stat_archiver, and understudy backup info');
}

function spool({ spool: directory, spoolFreeBytes }: BackupFacts): DoctorFinding {
  const check = 'spool';
  if (spoolFreeBytes === null) {
    return bad(check, 'warning', `can't tell how much is free for ${directory}`, 'check that the path is right');
  }
  const text = `${bytesText(spoolFreeBytes)} free for ${directory}`;
  if (spoolFreeBytes >= littleSpoolBytes) return ok(check, text);
  return bad(check, 'failure', text, 'archiving stops when it is full: free some space');
}
