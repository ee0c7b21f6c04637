/** What became of single rows: two streams in the order of one key, merged. Pure but for the streams. */
import { compareKeys } from './row-queries.ts';
import type { Row } from './row-stream.ts';
import type { Cells } from './snapshot.ts';
import type { TableShape } from './table-shape.ts';

/**
 * `gone`: it was there then and is not now. `changed`: it was, and is, and differs in these columns. `new`: it was not.
 * Cells are in the order of the shape's columns, as the servers print them.
 */
export type Difference =
  | { readonly kind: 'gone'; readonly past: Cells }
  | { readonly kind: 'changed'; readonly past: Cells; readonly present: Cells; readonly columns: readonly string[] }
  | { readonly kind: 'new'; readonly present: Cells };

/** `null`: they agree. */
export function differenceOf(shape: TableShape, past: Row | null, present: Row | null): Difference | null {
  if (past === null) return present === null ? null : { kind: 'new', present: present.cells };
  if (present === null) return { kind: 'gone', past: past.cells };
  const columns = shape.columns.flatMap(({ name }, index) =>
    past.cells[index] === present.cells[index] ? [] : [name],
  );
  return columns.length === 0 ? null : { kind: 'changed', past: past.cells, present: present.cells, columns };
}

/** Rows of the same key together. Both streams are read at once, each as far as it is needed. */
export async function* pairRows(
  shape: TableShape,
  past: AsyncIterator<Row>,
  present: AsyncIterator<Row>,
): AsyncGenerator<readonly [Row | null, Row | null]> {
  let [before, after] = await Promise.all([past.next(), present.next()]);
  while (before.done !== true || after.done !== true) {
    const order = orderOf(shape, before.done === true ? null : before.value, after.done === true ? null : after.value);
    yield [
      order <= 0 && before.done !== true ? before.value : null,
      order >= 0 && after.done !== true ? after.value : null,
    ];
    if (order < 0) before = await past.next();
    else if (order > 0) after = await present.next();
    else [before, after] = await Promise.all([past.next(), present.next()]);
  }
}

/** Whoever has ended comes last. */
function orderOf(shape: TableShape, before: Row | null, after: Row | null): number {
  if (before === null) return 1;
  return after === null ? -1 : compareKeys(shape.key, before.key, after.key);
}
