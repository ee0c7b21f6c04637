/** A shell stands in a directory that somebody removed: only what needs a directory fails there, and says why. */
import { describe, expect, it } from 'vitest';
import { type CliSeat, runToEnd } from '../../test/fixtures/cli-run.ts';
import { workingDirectory } from './working-directory.ts';

function removed(): string {
  throw Object.assign(new Error('ENOENT: no such file or directory, uv_cwd'), { code: 'ENOENT', syscall: 'uv_cwd' });
}

const seat: CliSeat = {
  program: '/none/understudy.mjs',
  get directory() {
    return workingDirectory(removed);
  },
};
const cli = (...argv: readonly string[]) => runToEnd(argv, seat);

describe('in a directory that was removed', () => {
  it.each([['version'], ['schema'], ['completion', 'bash'], ['stage', '--help']])('%s %s works', async (...argv) => {
    expect(await cli(...argv)).toMatchObject({ exit: 0, err: '' });
  });

  it.each([['status'], ['uri'], ['stage', 'up'], ['stage', 'down'], ['stage', 'fault', 'list'], ['by-hand']])(
    '%s %s %s says so',
    async (...argv) => {
      const { exit, err } = await cli(...argv);
      expect({ exit, err }).toEqual({
        exit: 2,
        err: expect.stringMatching(/^understudy: the directory that this was started in is gone\nhint: .*cd\n$/),
      });
    },
  );

  it('a cluster that is named by an absolute path is found', async () => {
    const { exit, err } = await cli('status', '--context', '/none/context.json');
    expect(exit).toBe(2);
    expect(err).toContain('/none/context.json');
  });
});
