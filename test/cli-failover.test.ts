/** `understudy failover`: what it would cost, and that nothing is lost without a word. */
import { beforeEach, describe, expect, it } from 'vitest';
import { cliSite } from './fixtures/cli-site.ts';
import { createFakeBackend, exampleFailoverPlan } from './fixtures/fake-backend.ts';

const site = cliSite();
const { cli } = site;

describe('failover', () => {
  /** The fake's primary is pg0 in term 8; once the loss is recorded it is pg1 in term 9. */
  beforeEach(() => {
    const { status, failover } = site.world.backend;
    const [standby] = createFakeBackend().status().nodes;
    let recorded = false;
    site.world.backend.failover = async (request, by) => {
      recorded ||= request.accept !== null;
      return await failover(request, by);
    };
    const postgres = { state: 'primary', timeline: 5, lsn: '0/6000000' } as const;
    const nodes = ['pg0', 'pg1'].flatMap((node) =>
      standby === undefined ? [] : [{ ...standby, node, address: '127.0.0.1', postgres }],
    );
    site.world.backend.status = () => (recorded ? { ...status(), term: 9, primary: 'pg1', nodes } : status());
  });

  it('tells what it would cost, and changes nothing', async () => {
    const { exit, out, err } = await cli('failover');
    expect(exit).toBe(3);
    expect(out).toBe(
      [
        'pg0 was primary in term 8, and does not renew:',
        '  pg1  lacks at least 12 kB  has all of 1 of 2 synchronous standbys; 2 are needed',
        '  pg2  not heard             may have what nobody else has',
        'pg1 would take over. Lost would be at least 12 kB of WAL, and whatever was committed after 0/5000060 of timeline 4.',
        'Commits acknowledged as replicated may be among it: pg0, pg2 may have them, and nobody who is heard.',
        '',
      ].join('\n'),
    );
    expect(err).toContain('--accept-loss');
    expect(site.world.backend.calls).toEqual([['failover', 'ernest']]);
  });

  it('asks before it accepts, and goes on with what was shown', async () => {
    site.typed = 'yes';
    const orders: unknown[] = [];
    const { failover } = site.world.backend;
    site.world.backend.failover = async (request, by) => {
      orders.push(request);
      return await failover(request, by);
    };
    const { exit, out } = await cli('failover', '--to', 'pg1', '--accept-loss');
    expect(exit).toBe(0);
    expect(out).toContain('Type yes to go on: pg1 is primary, term 9.\n');
    expect(orders).toEqual([
      { to: 'pg1', accept: null },
      { to: 'pg1', accept: { term: 9, counter: 41, covers: 'unheard', atLeastBytes: 12_288 } },
    ]);
  });

  it('does nothing when it is not confirmed, or nobody can be asked', async () => {
    site.typed = 'y';
    expect((await cli('failover', '--accept-loss')).exit).toBe(3);
    site.typed = null;
    expect(await cli('failover', '--accept-loss')).toMatchObject({ exit: 2, err: expect.stringContaining('--yes') });
    expect(site.world.backend.calls).toEqual([
      ['failover', 'ernest'],
      ['failover', 'ernest'],
    ]);
  });

  it('needs no question with --yes, and says it as JSON', async () => {
    const { exit, out } = await cli('failover', '--accept-loss', '--yes', '--json');
    expect(exit).toBe(0);
    expect(JSON.parse(out)).toEqual({ outcome: 'done', primary: 'pg1', term: 9, accepted: exampleFailoverPlan.loss });
  });

  it('is refused with every reason', async () => {
    const blockers = [{ what: 'failover', blockedBy: 'lease-held', text: 'pg0 holds the lease of term 8' }];
    const plan = { ...exampleFailoverPlan, blockers };
    site.world.backend.failover = async () => ({ outcome: 'refused', plan });
    const { exit, out } = await cli('failover', '--accept-loss', '--yes');
    expect(exit).toBe(3);
    expect(out).toContain('✗ pg0 holds the lease of term 8 (lease-held)\n  -> if it works: understudy switchover');
    expect(JSON.parse((await cli('failover', '--json')).out)).toEqual({ outcome: 'refused', ...plan });
  });
});
