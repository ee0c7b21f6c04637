/** `understudy plan` and `apply`: a cluster file becomes the spec, or every mistake is named. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { renderClusterFile } from '../src/config/render.ts';
import { UnderstudyError } from '../src/errors/understudy-error.ts';
import { cliSite } from './fixtures/cli-site.ts';
import { exampleSpec } from './fixtures/fake-backend.ts';

const site = cliSite();
const { cli } = site;

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

  it('passes a conflict on', async () => {
    writeFileSync(clusterFile(), renderClusterFile(exampleSpec).replace('8MB', '16MB'));
    site.world.backend.apply = async () => {
      throw new UnderstudyError('CONFLICT', 'the spec is at revision 5');
    };
    expect((await cli('apply', clusterFile())).exit).toBe(3);
  });
});
