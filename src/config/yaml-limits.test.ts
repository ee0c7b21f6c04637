import { describe, expect, it } from 'vitest';
import { parseClusterText } from './load.ts';
import { parseNodeFile } from './load-node-file.ts';
import { findExcess } from './yaml-limits.ts';

/** Near the end of the stack the parser's recursion used to end the process; here it never begins. */
describe('text that is nested too deeply', () => {
  it.each([1_000, 5_000, 20_000])('%i brackets are refused where they begin to be too many', (count) => {
    const text = `a: ${'['.repeat(count)}`;
    expect(parseClusterText(text, 'c.yaml')).toMatchObject({ ok: false, issues: [{ line: 1, column: 36 }] });
    expect(() => parseNodeFile(text, 'node.yaml')).toThrow('node.yaml:1:36 brackets are nested too deeply');
  });

  it.each(['{a: ', '- ', '- [', '[\n', '? '])('%j again and again is refused', (piece) => {
    expect(findExcess(piece.repeat(5_000))).not.toBeNull();
    expect(parseClusterText(piece.repeat(5_000), 'c.yaml')).toMatchObject({ ok: false });
  });

  it.each([']', '][', '[}', `${']'.repeat(9)}[`])('%j again and again is not, and the parser bears it', (piece) => {
    expect(parseClusterText(piece.repeat(1_000), 'c.yaml')).toMatchObject({ ok: false });
  });
});

it('text of ordinary shape is no excess, whatever stands in its strings', () => {
  const text = `a: "${'['.repeat(500)}"\nb: |\n  ${'- '.repeat(500)}\nc: [[1, 2], { d: [e] }]\n# ${'['.repeat(500)}\n`;
  expect(findExcess(text)).toBeNull();
});

it('an alias in a node file is refused as a mistake of the file', () => {
  expect(() => parseNodeFile('a: &x 1\nb: *x\n', 'node.yaml')).toThrow(
    expect.objectContaining({ code: 'CONFIG_INVALID' }),
  );
});
