/** What was changed by hand in databases: shown by `plan`, undone by `apply --revert`; and `apply --drop`. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { renderClusterFile } from '../src/config/render.ts';
import { plainDatabase } from '../src/core/spec.ts';
import { UnderstudyError } from '../src/errors/understudy-error.ts';
import { cliSite } from './fixtures/cli-site.ts';
import { exampleSpec } from './fixtures/fake-backend.ts';

const site = cliSite();
const { cli } = site;
const clusterFile = () => join(site.directory, 'cluster.yaml');
const declare = (change: Partial<typeof exampleSpec> = {}) =>
  writeFileSync(clusterFile(), renderClusterFile({ ...exampleSpec, ...change }));
beforeEach(() => declare());

describe('plan', () => {
  const drift = '! connection limit of wiki changed by hand: 5, declared 10;';
  const retired = '! database forum is retired';

  it('shows what was changed by hand, and what waits to be dropped', async () => {
    const { exit, out } = await cli('plan', clusterFile());
    expect(exit).toBe(0);
    expect(out).toContain('No changes.');
    expect(out).toContain(drift);
    expect(out).toContain(retired);
    expect(out).toContain(
      '! database zeta is not there: its roles stay until apply --drop zeta: zeta:read, zeta:write',
    );
    expect(out).toContain('! the role wiki is a superuser');
    expect(JSON.parse((await cli('plan', clusterFile(), '--json')).out)).toMatchObject({
      changes: [],
      drift: [{ name: 'connection limit of wiki', kind: 'changed', actual: '5', declared: '10' }],
      retired: ['forum'],
      leftovers: [{ database: 'zeta', roles: ['zeta:read', 'zeta:write'] }],
      troubles: ['the role wiki is a superuser'],
    });
  });

  it('shows a change of the same thing instead, and no database as retired that comes back', async () => {
    const wiki = { ...plainDatabase('wiki', 'wiki'), connectionLimit: 20 };
    declare({ databases: [wiki, plainDatabase('forum', 'wiki')] });
    const { out } = await cli('plan', clusterFile());
    expect(out).toContain('~ connection limit of wiki default -> 20');
    expect(out).not.toContain('by hand');
    expect(out).not.toContain(retired);
  });

  it('is shown all the same when nobody can tell', async () => {
    site.world.backend.databases = async () => {
      throw new UnderstudyError('REFUSED', 'pg0 is not the primary: pg1 is');
    };
    const { exit, out, err } = await cli('plan', clusterFile());
    expect({ exit, out }).toMatchObject({ exit: 0, out: expect.stringContaining('No changes.') });
    expect(err).toContain('not known: pg0 is not the primary');
  });

  it('refuses to change the encoding of a database', async () => {
    const encoded = (encoding: string) => [{ ...plainDatabase('wiki', 'wiki'), encoding }];
    site.world.backend.spec = () => ({
      revision: 3,
      spec: { ...exampleSpec, databases: encoded('UTF8') },
      appliedAt: '2026-11-19T14:00:00Z',
      appliedBy: 'kim',
    });
    declare({ databases: encoded('LATIN1') });
    const { exit, out } = await cli('plan', clusterFile());
    expect(exit).toBe(3);
    expect(out).toContain('Refused: encoding of wiki. A database keeps the characters');
  });
});

describe('a database that is there already', () => {
  const declared = (change: Partial<ReturnType<typeof plainDatabase>>) =>
    declare({ databases: [{ ...plainDatabase('wiki', 'wiki'), ...change }] });

  it('is refused with other characters than its own, before anything is sent', async () => {
    for (const [verb, change, what] of [
      ['plan', { encoding: 'LATIN1' }, 'encoding of wiki UTF8 -> LATIN1  refused'],
      ['apply', { encoding: 'LATIN1' }, 'encoding of wiki UTF8 -> LATIN1  refused'],
      ['apply', { locale: 'C' }, 'locale of wiki C.UTF-8 -> C  refused'],
    ] as const) {
      declared(change);
      const { exit, out, err } = await cli(verb, clusterFile());
      expect(exit).toBe(3);
      expect(out).toContain(`! ${what}`);
      expect(out).toMatch(/keeps the characters that it was made with \((UTF8|C\.UTF-8)\)/);
      expect(err).toContain('nothing was changed');
    }
    expect(site.world.backend.calls).toEqual([]);
  });

  it('may be declared as it is, also where something else was declared', async () => {
    site.world.backend.spec = () => ({
      revision: 3,
      spec: { ...exampleSpec, databases: [{ ...plainDatabase('wiki', 'wiki'), encoding: 'LATIN1' }] },
      appliedAt: '2026-11-19T14:00:00Z',
      appliedBy: 'kim',
    });
    declared({ encoding: 'UTF8', locale: 'C.utf8' });
    const { exit, out } = await cli('plan', clusterFile());
    expect(exit).toBe(0);
    expect(out).toContain('~ encoding of wiki LATIN1 -> UTF8');
  });
});

describe('apply --revert', () => {
  it('has one thing undone, or everything', async () => {
    expect((await cli('apply', '--revert', 'connection limit of wiki')).exit).toBe(0);
    expect((await cli('apply', '--revert')).exit).toBe(0);
    expect(site.world.backend.calls).toEqual([
      ['revert connection limit of wiki', 'ernest'],
      ['revert everything', 'ernest'],
    ]);
  });

  it('is asked for alone', async () => {
    for (const argv of [['--revert', '--drop', 'forum'], ['cluster.yaml', '--drop', 'forum'], ['--yes', 'forum'], []])
      expect((await cli('apply', ...argv)).exit, argv.join(' ')).toBe(2);
    expect(site.world.backend.calls).toEqual([]);
  });
});

describe('apply --drop', () => {
  it('drops what was named twice', async () => {
    const { exit, out } = await cli('apply', '--drop', 'forum', '--yes', 'forum');
    expect({ exit, out }).toMatchObject({ exit: 0, out: expect.stringContaining('forum and its data are gone') });
    site.typed = 'forum';
    expect((await cli('apply', '--drop', 'forum')).exit).toBe(0);
    expect(site.world.backend.calls).toEqual([
      ['drop forum', 'ernest'],
      ['drop forum', 'ernest'],
    ]);
  });

  it('drops nothing for another name, a yes, or nobody', async () => {
    expect((await cli('apply', '--drop', 'forum', '--yes', 'wiki')).exit).toBe(3);
    expect((await cli('apply', '--drop', 'forum')).exit).toBe(2);
    site.typed = 'yes';
    expect((await cli('apply', '--drop', 'forum')).exit).toBe(3);
    expect(site.world.backend.calls).toEqual([]);
  });
});
