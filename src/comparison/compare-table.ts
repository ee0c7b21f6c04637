/**
 * What differs between a table then and now.
 *
 * Each server first adds up its rows in buckets, one pass in parallel; only rows of buckets that differ are then read, in the order of
 * their keys, and paired. So a table of which little changed costs two scans on each side and little traffic; one that changed throughout
 * is sorted by both servers, in their temporary files.
 *
 * Invariant: memory is bounded by the number of buckets and a batch of rows on each side, whatever the table's size. A row is said to be
 * gone only when the present has none of its key, also where a condition was given: `where` chooses rows which meet it then or now.
 */
import { UnderstudyError } from '../errors/understudy-error.ts';
import { type Difference, differenceOf, pairRows } from './differences.ts';
import { oneRowQuery, type RowQuery, rowsQuery, sumsQuery } from './row-queries.ts';
import { type Row, rowOf, streamRows } from './row-stream.ts';
import { type Snapshot, useOwnSearchPath } from './snapshot.ts';
import { findTable, readTable, type TableReading } from './table-reading.ts';
import { type ShapeWishes, shapeOf, type TableShape } from './table-shape.ts';

export interface Sides {
  readonly past: Snapshot;
  readonly present: Snapshot;
}

export interface CompareOptions {
  /** SQL over the table's columns. It is put into a statement as it is: only from somebody who may read the whole database. */
  readonly where?: string;
  /** How many differences are looked for; all if left out. */
  readonly limit?: number;
  /** Called for each in the order of the key; the next one waits for it. */
  readonly onDifference: (difference: Difference) => void | Promise<void>;
}

export interface TableComparison {
  /** Those which meet the condition. */
  readonly rowsThen: number;
  readonly rowsNow: number;
  readonly gone: number;
  readonly changed: number;
  readonly new: number;
  /** Whether these are all: otherwise the limit was reached, and there may be more. */
  readonly isWhole: boolean;
}

/** About so many rows share a bucket, and are read when one of them differs. */
const rowsPerBucket = 32;
const fewestBuckets = 64;
const mostBuckets = 65_536;

/** Finds the table on both sides. Throws NOT_FOUND, REQUEST_INVALID, or REFUSED where it can't be compared. */
export async function findShape(
  { past, present }: Sides,
  written: string,
  wishes: ShapeWishes = {},
): Promise<TableShape> {
  const name = (await findTable(present, written)) ?? (await findTable(past, written));
  const [before, after] =
    name === null ? [null, null] : await Promise.all([readTable(past, name), readTable(present, name)]);
  if (before === null || after === null) throw missing(written, before, after);
  for (const { encoding } of [past, present]) {
    if (encoding !== 'SQL_ASCII') continue;
    throw new UnderstudyError('REFUSED', 'the database is SQL_ASCII: nobody knows which characters its bytes are', {
      hint: 'dump the table from both sides, and compare the files',
    });
  }
  return shapeOf(before, after, wishes);
}

function missing(written: string, before: TableReading | null, after: TableReading | null): UnderstudyError {
  const where = before !== null ? ' any more' : after !== null ? ' then' : '';
  const hint = before === null ? 'check the name, and the moment' : 'dump it from then, and load that';
  return new UnderstudyError('NOT_FOUND', `there is no table ${written}${where}`, { hint });
}

/** Throws REQUEST_INVALID for a condition that the servers don't understand, REFUSED for a key that turns out to be none. */
export async function compareTable(
  sides: Sides,
  shape: TableShape,
  { limit = Number.POSITIVE_INFINITY, onDifference, where }: CompareOptions,
): Promise<TableComparison> {
  const wanted = { shape, where: where ?? null };
  if (where !== undefined) await Promise.all([useOwnSearchPath(sides.past), useOwnSearchPath(sides.present)]);
  const buckets = bucketsFor(shape.estimatedRows);
  const [before, after] = await Promise.all([
    readSums(sides.past, { ...wanted, encoding: sides.past.encoding }, buckets),
    readSums(sides.present, { ...wanted, encoding: sides.present.encoding }, buckets),
  ]);
  const counts = { gone: 0, changed: 0, new: 0 };
  let isWhole = true;
  const wantedBuckets = differingBuckets(before, after, buckets);
  for await (const difference of readDifferences(sides, wanted, { wanted: wantedBuckets, count: buckets })) {
    if (counts.gone + counts.changed + counts.new >= limit) {
      isWhole = false;
      break;
    }
    counts[difference.kind] += 1;
    await onDifference(difference);
  }
  return { rowsThen: rowsIn(before), rowsNow: rowsIn(after), ...counts, isWhole };
}

export function bucketsFor(estimatedRows: number | null): number {
  const wanted = Math.max(1, (estimatedRows ?? mostBuckets * rowsPerBucket) / rowsPerBucket);
  return Math.min(mostBuckets, Math.max(fewestBuckets, 2 ** Math.ceil(Math.log2(wanted))));
}

interface Sum {
  readonly rows: number;
  readonly hash: string;
}

async function readSums(snapshot: Snapshot, query: RowQuery, buckets: number): Promise<ReadonlyMap<number, Sum>> {
  const rows = await snapshot.query(sumsQuery(query, buckets)).catch((error: unknown) => {
    throw query.where === null ? error : ofCondition(query.where, error);
  });
  return new Map(rows.map(([bucket, count, hash]) => [Number(bucket), { rows: Number(count), hash: hash ?? '' }]));
}

/** SQLSTATE 42: syntax, or a name that there is not; 22 and 0A: what can't be computed, or not there. */
function ofCondition(where: string, error: unknown): unknown {
  const cause = error instanceof UnderstudyError ? error.cause : undefined;
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  if (!/^(?:42|22|0A)/.test(code)) return error;
  return new UnderstudyError('REQUEST_INVALID', `the condition ${where} can't be used`, {
    cause,
    hint: 'write it as after WHERE, over columns of this table',
  });
}

function rowsIn(sums: ReadonlyMap<number, Sum>): number {
  return [...sums.values()].reduce((total, { rows }) => total + rows, 0);
}

/** A bit for each bucket, the lowest of a byte first, as the server's get_bit counts. `null`: all agree. */
function differingBuckets(
  before: ReadonlyMap<number, Sum>,
  after: ReadonlyMap<number, Sum>,
  buckets: number,
): Buffer | null {
  const bits = Buffer.alloc(buckets / 8);
  let found = false;
  for (const bucket of new Set([...before.keys(), ...after.keys()])) {
    const [left, right] = [before.get(bucket), after.get(bucket)];
    if (left?.rows === right?.rows && left?.hash === right?.hash) continue;
    bits[bucket >> 3] = (bits[bucket >> 3] ?? 0) | (1 << (bucket & 7));
    found = true;
  }
  return found ? bits : null;
}

interface Buckets {
  readonly wanted: Buffer | null;
  readonly count: number;
}

async function* readDifferences(
  sides: Sides,
  query: Pick<RowQuery, 'shape' | 'where'>,
  { count, wanted }: Buckets,
): AsyncGenerator<Difference> {
  if (wanted === null) return;
  const { shape } = query;
  const stream = (side: Snapshot) =>
    streamRows(side, shape, rowsQuery({ ...query, encoding: side.encoding }, wanted, count));
  for await (const [past, present] of pairRows(shape, stream(sides.past), stream(sides.present))) {
    // What does not meet the condition on one side may be there all the same.
    const before = past ?? (query.where === null ? null : await rowLike(sides.past, shape, present));
    const after = present ?? (query.where === null ? null : await rowLike(sides.present, shape, past));
    const difference = differenceOf(shape, before, after);
    if (difference !== null) yield difference;
  }
}

async function rowLike(side: Snapshot, shape: TableShape, other: Row | null): Promise<Row | null> {
  if (other === null) return null;
  const values = shape.key.map(({ column }) => other.cells[shape.columns.indexOf(column)] ?? null);
  const [found] = await side.query(oneRowQuery(shape), values);
  return found === undefined ? null : rowOf(shape, found);
}
