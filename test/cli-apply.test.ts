/** `understudy plan` and `apply`: a cluster file becomes the spec, or every mistake is named. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { renderClusterFile } from '../src/config/render.ts';
import { UnderstudyError } from '../src/errors/understudy-error.ts';
import type { EventRecord } from '../src/events/catalogue.ts';
import { until } from './fixtures/api-world.ts';
import { cliSite } from './fixtures/cli-site.ts';
import { exampleEvent, exampleSpec } from './fixtures/fake-backend.ts';

const site = cliSite();
const { cli, start } = site;

describe('plan and apply', () => {
  const clusterFile = () => join(site.directory, 'cluster.yaml');
  beforeEach(() => writeFileSync(clusterFile(), renderClusterFile(exampleSpec)));

  it('names every mistake with its place, and asks nobody', async () => {
    writeFileSync(clusterFile(), 'cluster: psf\nnonsense: 1\n');
    const { exit, err } = await cli('apply', clusterFile());
    expect(exit).toBe(2);
    expect(err).toContain('cluster.yaml:2:1 nonsense');
    expect(site.world.backend.calls).toEqual([]);
  });

  it('says that a file is not there, and where it looked', async () => {
    for (const verb of ['plan', 'apply']) {
      const { exit, err } = await cli(verb, 'nosuch.yaml', '--json');
      expect(exit).toBe(2);
      expect(JSON.parse(err)).toMatchObject({
        code: 'CONFIG_UNREADABLE',
        message: expect.stringMatching(/^the cluster file \/.*\/nosuch\.yaml can't be read: there is none$/),
      });
    }
    expect(site.world.backend.calls).toEqual([]);
  });

  it('shows what would change, and changes nothing', async () => {
    writeFileSync(clusterFile(), renderClusterFile(exampleSpec).replace('8MB', '16MB'));
    const { exit, out } = await cli('plan', clusterFile());
    expect(exit).toBe(0);
    expect(out).toContain('work_mem 8MB -> 16MB');
    expect(site.world.backend.calls).toEqual([]);
  });

  it('refuses what is not safe', async () => {
    writeFileSync(clusterFile(), renderClusterFile({ ...exampleSpec, cluster: 'other' }));
    expect((await cli('plan', clusterFile())).exit).toBe(3);
    expect((await cli('apply', clusterFile())).exit).toBe(3);
    expect(site.world.backend.calls).toEqual([]);
  });

  it('says who is not as declared when the time is over', async () => {
    writeFileSync(clusterFile(), renderClusterFile(exampleSpec).replace('8MB', '16MB'));
    const { exit, out, err } = await cli('apply', clusterFile(), '--timeout', '0.2', '--json');
    expect(exit).toBe(1);
    expect(JSON.parse(out)).toMatchObject({ revision: 4, converged: false });
    expect(JSON.parse(err).message).toContain('pg0: its agent does not answer');
    expect(site.world.backend.calls).toEqual([['apply', 'ernest']]);
  });

  it('tells what an agent fails at meanwhile, once, and nothing of before', async () => {
    writeFileSync(clusterFile(), renderClusterFile(exampleSpec).replace('8MB', '16MB'));
    const failed = (sequence: number, because: string): EventRecord => ({
      ...exampleEvent(sequence),
      name: 'action.failed',
      facts: { node: 'pg0', action: 'databases', because },
    });
    const { journal } = site.world.backend;
    journal.take([failed(4, 'an old story')]);
    const { ended, written, interrupt } = start('apply', clusterFile());
    await until(() => site.world.backend.calls.length > 0, 'the order');
    let looks = 0;
    const { events } = site.world.backend;
    site.world.backend.events = (after) => {
      looks += 1;
      return events(after);
    };
    await until(() => looks > 0, 'a look at events');
    journal.take([failed(5, 'the extension x is missing'), failed(6, 'the extension x is missing')]);
    await until(() => written.err.includes('missing'), 'the failure');
    interrupt();
    expect(await ended).toBe(1);
    expect(written.err.match(/pg0: the extension x is missing/g)).toHaveLength(1);
    expect(written.err).not.toContain('an old story');
  });

  it('passes a conflict on', async () => {
    writeFileSync(clusterFile(), renderClusterFile(exampleSpec).replace('8MB', '16MB'));
    site.world.backend.apply = async () => {
      throw new UnderstudyError('CONFLICT', 'the spec is at revision 5');
    };
    expect((await cli('apply', clusterFile())).exit).toBe(3);
  });
});
