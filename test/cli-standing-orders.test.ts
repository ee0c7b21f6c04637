/** The orders that stand until they are taken back: `read-only` and `hands-off`. */
import { describe, expect, it } from 'vitest';
import { until } from './fixtures/api-world.ts';
import { cliSite } from './fixtures/cli-site.ts';

const site = cliSite();
const { cli, start } = site;

describe('read-only', () => {
  /** What the one pooler of the status says of itself. */
  function poolerServes(readOnly: boolean): void {
    const { status } = site.world.backend;
    site.world.backend.status = () => {
      const now = status();
      const poolers = now.poolers.map((one) => ({ ...one, report: one.report && { ...one.report, readOnly } }));
      return { ...now, poolers };
    };
  }

  it('is ordered, and waits until every pooler follows', async () => {
    poolerServes(true);
    const on = await cli('read-only', 'on', '--reason', 'disks', '--json');
    expect({ exit: on.exit, out: JSON.parse(on.out) }).toMatchObject({ exit: 0, out: { readOnly: true, poolers: [] } });
    poolerServes(false);
    expect((await cli('read-only', 'off')).exit).toBe(0);
    expect(site.world.backend.calls).toEqual([
      ['read-only on', 'ernest'],
      ['read-only off', 'ernest'],
    ]);
  });

  it('names the poolers that have not followed when the wait is over', async () => {
    poolerServes(false);
    const { status } = site.world.backend;
    let looks = 0;
    site.world.backend.status = () => {
      if (site.world.backend.calls.length > 0) looks += 1;
      return status();
    };
    const { ended, interrupt, written } = start('read-only', 'on', '--json');
    await until(() => looks > 1, 'a second look after the order');
    interrupt();
    expect(await ended).toBe(1);
    expect(JSON.parse(written.out)).toMatchObject({ readOnly: true, poolers: ['web0'] });
  });

  it('takes a reason only where there is something to give one for', async () => {
    const { exit, err } = await cli('read-only', 'off', '--reason', 'disks');
    expect({ exit, err }).toMatchObject({ exit: 2, err: expect.stringContaining('it goes with on') });
    expect(site.world.backend.calls).toEqual([]);
  });

  it('says why it was refused', async () => {
    site.world.backend.readOnly = async () => ({ accepted: false, because: 'not now' });
    expect(await cli('read-only', 'on')).toMatchObject({ exit: 3, err: expect.stringContaining('not now') });
  });
});

describe('hands-off', () => {
  const kept = { by: 'kim', at: '2026-11-19T14:00:00Z', leftMs: 5_400_000 };

  it('asks for a limited time, and takes it back', async () => {
    const on = await cli('hands-off', '--for', '2h');
    expect(on).toMatchObject({ exit: 0, err: '', out: 'asked, for 2 h\n' });
    expect(JSON.parse((await cli('hands-off', '--off', '--json')).out)).toEqual({
      handsOff: false,
      forMs: null,
      because: 'asked',
    });
    expect(site.world.backend.calls).toEqual([
      ['hands-off 7200000', 'ernest'],
      ['hands-off null', 'ernest'],
    ]);
  });

  it('is shown by itself and above everything in the status', async () => {
    expect((await cli('hands-off')).out).toBe('hands are on: the automation acts\n');
    const { status } = site.world.backend;
    site.world.backend.status = () => ({ ...status(), handsOff: kept });
    const text = 'HANDS OFF for another 90 min, as kim asked: nothing fails over, starts or is cloned';
    expect((await cli('hands-off')).out).toBe(`${text}\n`);
    expect((await cli('status')).out.split('\n')[1]).toBe(text);
    expect(JSON.parse((await cli('hands-off', '--json')).out)).toEqual({ handsOff: true, ...kept });
  });

  it('is refused with the reason', async () => {
    site.world.backend.handsOff = async () => ({ accepted: false, because: 'switchover S-1 is under way' });
    expect(await cli('hands-off', '--for', '10min')).toMatchObject({
      exit: 3,
      err: expect.stringContaining('switchover S-1 is under way'),
    });
  });

  it.each([
    ['--for', '500ms'],
    ['--for', '169h'],
    ['--for', 'soon'],
    ['--for', '1h', '--off'],
  ])('takes no %s %s', async (...options) => {
    expect((await cli('hands-off', ...options)).exit).toBe(2);
    expect(site.world.backend.calls).toEqual([]);
  });
});
