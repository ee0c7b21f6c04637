/**
 * WAL that a simulated server left behind, as it is read out, and as a standby that is cut off takes it in.
 *
 * Invariant: only what continues the very records that the standby has is taken in; all else counts as nothing heard.
 */
import type { WalPiece } from '../../core/last-words.ts';
import { failed } from './act.ts';
import type { WalRecord } from './disk.ts';
import type { FakeServer } from './server.ts';

/** All of it in one piece: positions here are numbers of records, not of bytes. `null`: it runs, or there is nothing to read. */
export function readWal({ process, disk }: FakeServer): WalPiece | null {
  if (process !== null || disk.content !== 'cluster' || disk.isFrozen) return null;
  return { data: JSON.stringify({ timeline: disk.timeline, records: disk.records }), isEnd: true };
}

/** Answers how many records it went on by. Throws `POSTGRES_FAILED` for what is no WAL. */
export function hearWal(server: FakeServer, piece: WalPiece | null): number {
  const { process, disk } = server;
  if (piece === null || process === null || process.role !== 'standby' || process.freeze !== 'none') return 0;
  const heard = parseWal(piece.data);
  const isContinued = disk.records.every((record, index) => record.serial === heard.records[index]?.serial);
  if (heard.timeline !== disk.timeline || !isContinued) return 0;
  const rest = heard.records.slice(disk.end);
  server.recovery.restore(process, rest);
  return rest.length;
}

function parseWal(text: string): { readonly timeline: number; readonly records: readonly WalRecord[] } {
  const wal: unknown = JSON.parse(text);
  if (typeof wal !== 'object' || wal === null || !('timeline' in wal) || !('records' in wal)) throw failed('no WAL');
  const { timeline, records } = wal;
  if (typeof timeline !== 'number' || !Array.isArray(records)) throw failed('no WAL');
  return { timeline, records: records.filter(isWalRecord) };
}

function isWalRecord(value: unknown): value is WalRecord {
  return typeof value === 'object' && value !== null && 'row' in value && 'serial' in value;
}
