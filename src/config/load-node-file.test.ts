import { describe, expect, it } from 'vitest';
import { isUnderstudyError } from '../errors/understudy-error.ts';
import { parseNodeFile } from './load-node-file.ts';

function messageOf(text: string): string | null {
  try {
    parseNodeFile(text, 'node.yaml');
  } catch (error) {
    if (isUnderstudyError(error, 'CONFIG_INVALID')) return error.message;
    throw error;
  }
  return null;
}

describe('the node file', () => {
  it.each([[''], ['\n'], ['# to be written\n'], ['---\n'], ['~\n']])(
    'that says nothing is called empty: %j',
    (text) => {
      expect(messageOf(text)).toBe('node.yaml: the file is empty');
    },
  );

  it('that is no map is told at its beginning', () => {
    expect(messageOf('- db1\n')).toMatch(/^node\.yaml:1:1 Invalid input/);
  });
});
