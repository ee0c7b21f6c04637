/** `understudy switchover`: looked at, refused, followed to its receipt, cancelled. */
import { describe, expect, it } from 'vitest';
import { until } from './fixtures/api-world.ts';
import { cliSite } from './fixtures/cli-site.ts';
import { exampleOperation, exampleReceipt } from './fixtures/fake-backend.ts';

const site = cliSite();
const { cli, start } = site;

describe('switchover', () => {
  const preflight = { from: 'pg0', to: 'pg1', poolers: ['web0'], blockers: [], warnings: [] };

  it('only looks when it is dry', async () => {
    const { exit, out } = await cli('switchover', '--dry-run');
    expect(exit).toBe(0);
    expect(out).toContain('✓ preflight  pg0 -> pg1, 1 pooler, nothing blocking');
    expect(out).toContain('pause and drain the poolers on web0');
  });

  it('is refused with every reason, and what to do', async () => {
    const blockers = [{ what: 'switchover', blockedBy: 'target-silent', text: 'the agent of pg1 is silent' }];
    site.world.backend.switchover = async () => ({ outcome: 'refused', preflight: { ...preflight, blockers } });
    const { exit, out, err } = await cli('switchover');
    expect(exit).toBe(3);
    expect(out).toBe(
      '✗ the agent of pg1 is silent (target-silent)\n  -> see whether its agent runs, or choose another: understudy doctor --node pg1\n',
    );
    expect(err).toContain('nothing was changed');
    const json = await cli('switchover', '--json');
    expect(json.exit).toBe(3);
    expect(JSON.parse(json.out)).toEqual({ ...preflight, blockers });
    expect(JSON.parse(json.err)).toMatchObject({ code: 'REFUSED' });
  });

  /** The backend carries it out: first under way, then ended as told. */
  function carriesOut(receipt: typeof exampleReceipt): void {
    site.world.backend.switchover = async (request) => {
      if (request.dryRun) return { outcome: 'checked', preflight };
      site.world.backend.setOperation({ ...exampleOperation, id: receipt.id });
      return { outcome: 'started', preflight, operation: receipt.id };
    };
    site.world.backend.receipt = async (id) => (id === receipt.id ? receipt : null);
    const { status } = site.world.backend;
    const nodes = site.world.backend.status().nodes;
    site.world.backend.status = () => ({ ...status(), nodes, term: receipt.termAfter + 1 });
  }

  const finished = { ...exampleOperation, phase: 'finished', receipt: 'R-0142' } as const;

  it('is followed to its receipt', async () => {
    carriesOut(exampleReceipt);
    const { ended, written } = start('switchover');
    await until(() => written.out.includes('pause 14 ms'), 'the first phase');
    site.world.backend.setOperation({ ...finished, id: exampleReceipt.id });
    expect(await ended).toBe(0);
    expect(written.out).toContain('stop 61 ms');
    expect(written.out).toContain('pg1 is primary, term 9. Writes waited 121 ms.');
    expect(written.out).toContain('Receipt R-0142. Undo: understudy switchover --to pg0');
  });

  it('prints nothing but the receipt with --json', async () => {
    carriesOut(exampleReceipt);
    const { ended, written } = start('switchover', '--json');
    await until(() => site.world.backend.operation() !== null, 'its beginning');
    site.world.backend.setOperation({ ...finished, id: exampleReceipt.id });
    expect(await ended).toBe(0);
    expect(JSON.parse(written.out)).toMatchObject({ id: 'R-0142', outcome: 'finished' });
  });

  it('is cancelled by Ctrl-C, and says how it ended', async () => {
    const undone = {
      ...exampleReceipt,
      outcome: 'undone',
      undoReason: 'cancelled',
      detail: 'the operator asked for it',
      undo: null,
    } as const;
    carriesOut({ ...undone, to: 'pg1' });
    site.world.backend.cancel = async (id) => {
      site.world.backend.setOperation({ ...exampleOperation, id, phase: 'undone', reason: 'cancelled', detail: '' });
      return { accepted: true, because: 'it is being undone' };
    };
    const { ended, interrupt, written } = start('switchover');
    await until(() => written.out.includes('pause 14 ms'), 'the first phase');
    interrupt();
    expect(await ended).toBe(1);
    expect(written.err).toContain('R-0142: it is being undone');
    expect(written.out).toContain('undone (cancelled): the operator asked for it. pg0 is primary');
  });

  it('goes on unseen when nobody reads any more, and is left at the second Ctrl-C', async () => {
    carriesOut(exampleReceipt);
    const { ended, interrupt, written } = start('switchover');
    await until(() => written.out.includes('pause 14 ms'), 'the first phase');
    interrupt('hung-up');
    expect(written.err).toBe('');
    interrupt();
    interrupt();
    expect(await ended).toBe(1);
    expect(written.err).toContain('finishes or undoes R-0142 by itself');
  });
});
