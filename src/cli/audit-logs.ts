/**
 * Fetches agents' audit logs, piece by piece, as they stand in their files.
 *
 * Invariant: nothing that an agent says of its log is believed but the lines themselves, and an agent that would send lines
 * without an end is cut off.
 */
import { firstSequenceOf } from '../audit/files.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { ClusterAccess } from './cluster-access.ts';

const withinMs = 10_000;
/** Far more than an honest log may have. */
const logLimitBytes = 512 * 1024 * 1024;

export type TakeLine = (file: string, line: string) => void;

/** Every line, oldest first. */
export async function fetchLog(access: ClusterAccess, node: string, take: TakeLine): Promise<void> {
  const { files } = await access.askNode(node, (client, asking) => client.audit(asking), withinMs);
  const names = files.map(({ file }) => file).filter((file) => firstSequenceOf(file) !== null);
  let left = logLimitBytes;
  let begun = false;
  for (const file of names.sort()) {
    const lines = await fetchFile(access, node, file, left);
    left -= lines.reduce((sum, line) => sum + line.length, 0);
    // The oldest may have been removed since, as its log says it would be.
    if (lines.length === 0 && !begun) continue;
    begun = true;
    for (const line of lines) take(file, line);
  }
}

async function fetchFile(access: ClusterAccess, node: string, file: string, left: number): Promise<readonly string[]> {
  const pieces: string[] = [];
  let size = 0;
  for (let offset: number | null = 0; offset !== null; ) {
    const at: number = offset;
    const piece = await access.askNode(node, (client, asking) => client.auditFile(file, at, asking), withinMs);
    pieces.push(piece.text);
    size += piece.text.length;
    if (size > left || (piece.next !== null && piece.next <= at)) {
      throw new UnderstudyError('ANSWER_INVALID', `the agent on ${node} sends its audit log without an end`);
    }
    offset = piece.next;
  }
  const lines = pieces.join('').split('\n');
  // After the last line's end there is nothing; a line without one is for the reader to judge.
  return lines.at(-1) === '' ? lines.slice(0, -1) : lines;
}
