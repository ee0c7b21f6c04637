/** How instances of the past read for people, and as JSON. */
import { methodText } from '../core/backups/past-method.ts';
import { targetText } from '../core/backups/target.ts';
import { type EndingParts, socketDirectory } from '../past/parts.ts';
import { type InstanceRecord, sourceOf } from '../past/scratch.ts';
import { ageText, columns, spanText } from './words.ts';

export function uriOf(parts: Pick<EndingParts, 'run'>, { id, port }: InstanceRecord, database: string): string {
  const host = encodeURIComponent(socketDirectory(parts, id)).replaceAll('%2F', '/');
  return `postgresql://postgres@/${encodeURIComponent(database)}?host=${host}&port=${port}`;
}

export function instanceJson(parts: Pick<EndingParts, 'run'>, record: InstanceRecord, database = 'postgres') {
  const { because, expiresAtMs, id, label, method, node, openedAtMs, reached, state, target, tookMs } = record;
  return {
    ...{ id, node, state, target: { type: target.type, value: target.value }, reached, backup: label },
    source: sourceOf(record),
    uri: uriOf(parts, record, database),
    ...{ method, because, tookMs },
    openedAt: new Date(openedAtMs).toISOString(),
    expiresAt: new Date(expiresAtMs).toISOString(),
  };
}

export function openedLines(
  parts: Pick<EndingParts, 'run'>,
  record: InstanceRecord,
  verb: 'opened' | 'moved',
  database: string,
): readonly string[] {
  const { expiresAtMs, id, method, node, reached, target, tookMs } = record;
  const way = verb === 'moved' ? '' : ` (${methodText({ by: method })})`;
  const last = reached?.lastCommitAt ?? null;
  const seen =
    last === null
      ? sourceOf(record) === 'standby'
        ? 'no commit since it was copied'
        : 'no commit since its backup'
      : `last commit ${last}`;
  return [
    `${id} on ${node} is at ${targetText(target)}, read-only: ${seen}`,
    `${verb} in ${spanText(tookMs ?? 0)}${way}; ends by itself at ${new Date(expiresAtMs).toISOString()}`,
    uriOf(parts, record, database),
  ];
}

export function listLines(records: readonly InstanceRecord[], nowMs: number): readonly string[] {
  if (records.length === 0) return ['no instance of the past is open'];
  return columns(
    records.map(({ expiresAtMs, id, method, node, state, target }) => [
      id,
      node,
      targetText(target),
      state,
      methodText({ by: method }),
      `ends in ${ageText(expiresAtMs - nowMs)}`,
    ]),
  );
}
