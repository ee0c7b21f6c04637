/** Which known word a misspelt one may have meant. */

/** Edits from one word to the other: a letter more, less, another, or two swapped (optimal string alignment). */
function edits(from: string, to: string): number {
  const width = to.length + 1;
  const table = new Array<number>((from.length + 1) * width).fill(0);
  const at = (row: number, column: number) => table[row * width + column] ?? 0;
  for (let row = 0; row <= from.length; row += 1) {
    for (let column = 0; column < width; column += 1) {
      const same = from[row - 1] === to[column - 1];
      const swapped = row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      table[row * width + column] =
        row === 0 || column === 0
          ? row + column
          : Math.min(
              at(row - 1, column) + 1,
              at(row, column - 1) + 1,
              at(row - 1, column - 1) + (same ? 0 : 1),
              swapped ? at(row - 2, column - 2) + 1 : Number.POSITIVE_INFINITY,
            );
    }
  }
  return table.at(-1) ?? 0;
}

function plain(word: string): string {
  return word.toLowerCase().replaceAll(/[-_. ]/g, '');
}

/** The nearest known word, if it is near: a third of the letters may differ. */
export function closest(word: string, known: readonly string[]): string | undefined {
  if (word.length > 100) return undefined;
  const ranked = known
    .map((each) => ({
      each,
      distance: plain(each) === plain(word) ? 0 : edits(word.toLowerCase(), each.toLowerCase()),
    }))
    .filter(({ each, distance }) => distance <= Math.floor(Math.max(each.length, word.length) / 3))
    .sort((a, b) => a.distance - b.distance);
  return ranked[0]?.each;
}
