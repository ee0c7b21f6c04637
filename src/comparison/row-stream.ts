/**
 * Rows of one side in the order of their keys, by a cursor in the server.
 *
 * Invariant: about 4 MiB of them are here at once, more only where single rows are large. Two rows with one key, or one without a key,
 * end it: whatever was paired by it could be paired wrongly.
 */
import { UnderstudyError } from '../errors/understudy-error.ts';
import { compareKeys } from './row-queries.ts';
import type { Cells, Snapshot } from './snapshot.ts';
import type { TableShape } from './table-shape.ts';

export interface Row {
  /** Texts by which keys are compared. */
  readonly key: Cells;
  /** Of all columns of the shape, in its order. */
  readonly cells: Cells;
}

const wantedBatchLength = 4 * 1024 * 1024;
const firstBatch = 64;
const mostAtOnce = 2_000;

export function rowOf(shape: TableShape, cells: Cells): Row {
  return { key: cells.slice(0, shape.key.length), cells: cells.slice(shape.key.length) };
}

/** One at a time per snapshot. */
export async function* streamRows(snapshot: Snapshot, shape: TableShape, query: string): AsyncGenerator<Row> {
  await snapshot.query(`DECLARE understudy_rows NO SCROLL CURSOR FOR ${query}`);
  let count = firstBatch;
  let last: Cells | null = null;
  for (;;) {
    const batch = await snapshot.query(`FETCH FORWARD ${count} FROM understudy_rows`);
    for (const cells of batch) {
      const row = rowOf(shape, cells);
      requireKey(shape, row.key, last);
      last = row.key;
      yield row;
    }
    if (batch.length < count) break;
    count = nextCount(batch);
  }
  await snapshot.query('CLOSE understudy_rows');
}

function nextCount(batch: readonly Cells[]): number {
  const length = batch.reduce((sum, cells) => sum + cells.reduce((inner, cell) => inner + (cell?.length ?? 0), 0), 0);
  return Math.max(1, Math.min(mostAtOnce, Math.floor((wantedBatchLength * batch.length) / (length + 1))));
}

function requireKey(shape: TableShape, key: Cells, last: Cells | null): void {
  const isNull = key.includes(null);
  const order = isNull || last === null ? -1 : compareKeys(shape.key, last, key);
  if (order < 0 && !isNull) return;
  const table = `${shape.schema}.${shape.name}`;
  if (order > 0)
    throw new UnderstudyError('BROKEN_INVARIANT', `the rows of ${table} came in another order than expected`);
  const names = shape.key.map(({ column }) => column.name).join(', ');
  const what = isNull ? 'is null in a row' : `is ${key.join(', ')} in two rows`;
  throw new UnderstudyError('REFUSED', `${names} of ${table} ${what}: it is no key`, {
    hint: 'name columns that are unique together and never null',
  });
}
