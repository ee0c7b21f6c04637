/**
 * The plan's part about backups: where they go and when they are made, and what archiving needs of servers that run.
 * Pure.
 *
 * Nothing in a repository is ever removed by a declaration: what is no longer declared stays as it is.
 */
import { type BackupsSpec, type RepositoryPlace, repositoryUrl } from './backups-spec.ts';
import type { Change, PlanPart } from './plan-change.ts';
import { type NodeName, nodesOfRole, type Spec } from './spec.ts';

export function planBackups(current: Spec | null, next: Spec): PlanPart {
  const [before, after] = [current?.backups ?? null, next.backups];
  return {
    changes: [...changesOf(before, after), ...(current === null ? [] : archiving(current, next))],
    destroyed: [],
    interrupted: before !== null && after === null ? ['backups, and with them any look at the past'] : [],
    refusals: [],
  };
}

function changesOf(before: BackupsSpec | null, after: BackupsSpec | null): readonly Change[] {
  const everywhere = { nodes: [], effect: 'now' } as const;
  if (before === null) {
    if (after === null) return [];
    return [{ ...everywhere, kind: 'add', what: 'backups', from: null, to: `to ${repositoryText(after.to)}` }];
  }
  if (after === null) {
    const from = `to ${repositoryText(before.to)} (what is there stays, and no WAL follows)`;
    return [{ ...everywhere, kind: 'remove', what: 'backups', from, to: null }];
  }
  const isAnother = repositoryText(before.to) !== repositoryText(after.to);
  const moved: readonly Change[] = isAnother
    ? [
        {
          ...everywhere,
          kind: 'change',
          what: 'repository of backups',
          from: `${repositoryText(before.to)} (what is there stays)`,
          to: `${repositoryText(after.to)} (begins empty, with a full backup)`,
        },
      ]
    : [];
  const [old, wanted] = [values(before), values(after)];
  const changed = wanted.flatMap(([what, to]): readonly Change[] => {
    const from = old.find(([name]) => name === what)?.[1] ?? null;
    return from === to ? [] : [{ ...everywhere, kind: 'change', what, from, to }];
  });
  return [...moved, ...changed];
}

/** Every value but which repository it is. */
function values(backups: BackupsSpec): readonly (readonly [string, string])[] {
  const { full, differential, proof, from, timeZone, keepDays, compression, processes, to } = backups;
  return [
    ['schedule of full backups', full ?? 'never'],
    ['schedule of differential backups', differential ?? 'never'],
    ['schedule of the proof', proof ?? 'never'],
    ['maker of backups', from],
    ['time zone of backups', timeZone],
    ['backups are kept (days)', String(keepDays)],
    ['compression of backups', compression],
    ['processes of a backup', String(processes)],
    ['way to the repository', wayTo(to)],
  ];
}

/** What names it: another of these is another repository. */
function repositoryText(to: RepositoryPlace): string {
  const at = 'endpoint' in to ? ` at ${to.kind === 'azure' ? `${to.account}.` : ''}${to.endpoint}` : '';
  return `${repositoryUrl(to)}${at}`;
}

function wayTo(to: RepositoryPlace): string {
  const parts = Object.entries(to).filter(([key]) => reaching.some((name) => name === key));
  return parts.map(([key, value]) => `${words[key] ?? key} ${value ?? "system's"}`).join(', ');
}

const reaching = ['region', 'addressing', 'caFile', 'hostKeySha256'] as const;
const words: Readonly<Record<string, string>> = { caFile: 'CA', hostKeySha256: 'host key' };

/** Only a restart changes `archive_mode`; a new cluster and a new node begin with it. */
function archiving(current: Spec, next: Spec): readonly Change[] {
  const [from, to] = [current, next].map(({ backups }) => (backups === null ? 'off' : 'on'));
  if (from === undefined || to === undefined || from === to) return [];
  const known = new Set<NodeName>(nodesOfRole(current, 'database').map(({ name }) => name));
  const nodes = nodesOfRole(next, 'database').flatMap(({ name }) => (known.has(name) ? [name] : []));
  return [{ kind: 'change', nodes, what: 'archive_mode', from, to, effect: 'restart, deferred' }];
}
