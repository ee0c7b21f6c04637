/** The verbs against an API server over real TLS with a fake agent behind it. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { runCli } from '../src/cli/run-cli.ts';
import type { Interruptor } from '../src/cli/terminal.ts';
import { renderClusterFile } from '../src/config/render.ts';
import { UnderstudyError } from '../src/errors/understudy-error.ts';
import { credentialFiles, writeCredentials } from '../src/pki/credential-files.ts';
import { type ApiWorld, type Callers, issueCallers, startApi, until } from './fixtures/api-world.ts';
import {
  createFakeBackend,
  exampleEvent,
  exampleFailoverPlan,
  exampleLostReport,
  exampleOperation,
  exampleReceipt,
  exampleSpec,
} from './fixtures/fake-backend.ts';

let callers: Callers;
let directory: string;
let world: ApiWorld;

beforeAll(async () => {
  callers = await issueCallers();
});
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'understudy-cli-'));
  await writeCredentials(directory, 'operator', callers.operator);
  world = await startApi(callers);
  world.backend.setOperation(null);
  // The spec's addresses are nobody's here: only the context's are asked.
  const { status } = world.backend;
  world.backend.status = () => ({ ...status(), nodes: [] });
  writeContext([world.port]);
});
afterEach(async () => {
  await world.close();
  rmSync(directory, { recursive: true, force: true });
});

const contextFile = () => join(directory, 'context.json');

/** The agent that answers is pg0's: the last one. */
function writeContext(ports: readonly number[]): void {
  const agents = ports.map((port, index) => ({
    node: `pg${ports.length - 1 - index}`,
    role: 'database',
    address: '127.0.0.1',
    port,
  }));
  const tls = credentialFiles(directory, 'operator');
  const apps = [{ node: 'web0', address: '127.0.0.9', state: 'state' }];
  writeFileSync(contextFile(), JSON.stringify({ cluster: 'psf', domain: 'psf.io', agents, tls, apps }));
}

interface Running {
  readonly written: { out: string; err: string };
  readonly interrupt: (how?: Interruptor) => void;
  readonly ended: Promise<number>;
}

/** What is typed at a question; `null`: nobody sits there. */
let typed: string | null = null;
beforeEach(() => {
  typed = null;
});

function start(...argv: readonly string[]): Running {
  const written = { out: '', err: '' };
  const listeners = new Set<(how: Interruptor) => void>();
  const ended = runCli(argv, {
    stdout: { write: (text) => (written.out += text) },
    stderr: { write: (text) => (written.err += text) },
    env: { UNDERSTUDY_CONTEXT: contextFile() },
    cwd: directory,
    ask:
      typed === null
        ? undefined
        : async (question) => {
            written.out += question;
            return typed ?? '';
          },
    onInterrupt(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  });
  return { written, ended, interrupt: (how = 'asked') => [...listeners].forEach((listener) => void listener(how)) };
}

async function cli(...argv: readonly string[]) {
  const { ended, written } = start(...argv);
  return { exit: await ended, ...written };
}

describe('nobody answers', () => {
  beforeEach(() => world.close());

  it.each([['status'], ['events'], ['why'], ['receipts'], ['receipt'], ['switchover'], ['reinit', 'pg0']])(
    '%s exits 4 and names the address',
    async (...argv) => {
      const { exit, out, err } = await cli(...argv);
      expect({ exit, out }).toEqual({ exit: 4, out: '' });
      expect(err).toContain(`127.0.0.1:${world.port}`);
      expect(err).toMatch(/^hint: /m);
    },
  );

  it('says it as JSON', async () => {
    const { exit, err } = await cli('status', '--json');
    expect(exit).toBe(4);
    expect(JSON.parse(err)).toMatchObject({ code: 'AGENT_UNREACHABLE', retry: 'later' });
  });

  it('doctor counts it as a failure', async () => {
    const { exit, out } = await cli('doctor');
    expect(exit).toBe(1);
    expect(out).toContain('✗ agent: ');
  });
});

describe('reading', () => {
  it('shows the status, and the same as JSON', async () => {
    const { exit, out } = await cli('status');
    expect(exit).toBe(0);
    expect(out).toMatch(/^psf HEALTHY {2}term 8 {2}timeline 4 {2}spec 3\n/);
    expect(out).toContain('poolers 1/1 open  12 clients');
    expect(out).toContain('last switchover R-0142');
    expect(JSON.parse((await cli('status', '--json')).out)).toMatchObject({ cluster: 'psf', verdict: 'HEALTHY' });
  });

  it('goes on to the next agent when one is gone', async () => {
    const gone = await startApi(callers);
    await gone.close();
    writeContext([gone.port, world.port]);
    expect((await cli('status')).exit).toBe(0);
  });

  it('passes on what the agent says instead', async () => {
    world.backend.failure = new UnderstudyError('REFUSED', 'not now');
    world.backend.status = () => {
      throw world.backend.failure;
    };
    expect(await cli('status')).toMatchObject({ exit: 3, err: 'understudy: not now\nhint: see the reasons given\n' });
  });

  it('prints events, one per line', async () => {
    const { out } = await cli('events', '--after', '1');
    expect(out.trimEnd().split('\n')).toEqual([
      '    2  2026-11-19T14:00:00Z  pg0  pg0 holds the lease, term 2',
      '    3  2026-11-19T14:00:00Z  pg0  pg0 holds the lease, term 3',
    ]);
  });

  it.each(['asked', 'hung-up'] as const)('follows events until it is interrupted (%s)', async (how) => {
    const { ended, interrupt, written } = start('events', '--follow', '--json');
    await until(() => written.out.includes('"sequence":3'), 'the old events');
    world.backend.journal.take([exampleEvent(4)]);
    await until(() => written.out.includes('"sequence":4'), 'the new event');
    interrupt(how);
    expect(await ended).toBe(0);
  });

  it('shows a receipt', async () => {
    const { out } = await cli('receipt');
    expect(out).toContain('pg1 is primary, term 9. Writes waited 121 ms.');
    expect(out).toMatch(/wiki +31 +119 ms +0/);
    expect(out).toContain('Undo: understudy switchover --to pg0');
    expect((await cli('receipt', 'R-9')).exit).toBe(2);
    expect(JSON.parse((await cli('receipts', '--json')).out)).toEqual([exampleReceipt]);
  });

  it('lists what was lost', async () => {
    expect((await cli('lost')).out).toContain('2 transactions committed alone');
    expect(JSON.parse((await cli('lost', '--json')).out)).toEqual([{ node: 'pg0', reports: [exampleLostReport] }]);
    expect((await cli('lost', '--node', 'pg7')).exit).toBe(2);
  });

  it('says why', async () => {
    expect((await cli('why')).out).toContain('pg0 at 2026-11-19T14:00:00Z, from view abc\n  nothing to do');
    expect((await cli('why', '--node', 'pg7')).exit).toBe(2);
  });
});

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
    world.backend.switchover = async () => ({ outcome: 'refused', preflight: { ...preflight, blockers } });
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
    world.backend.switchover = async (request) => {
      if (request.dryRun) return { outcome: 'checked', preflight };
      world.backend.setOperation({ ...exampleOperation, id: receipt.id });
      return { outcome: 'started', preflight, operation: receipt.id };
    };
    world.backend.receipt = async (id) => (id === receipt.id ? receipt : null);
    const { status } = world.backend;
    const nodes = world.backend.status().nodes;
    world.backend.status = () => ({ ...status(), nodes, term: receipt.termAfter + 1 });
  }

  const finished = { ...exampleOperation, phase: 'finished', receipt: 'R-0142' } as const;

  it('is followed to its receipt', async () => {
    carriesOut(exampleReceipt);
    const { ended, written } = start('switchover');
    await until(() => written.out.includes('pause 14 ms'), 'the first phase');
    world.backend.setOperation({ ...finished, id: exampleReceipt.id });
    expect(await ended).toBe(0);
    expect(written.out).toContain('stop 61 ms');
    expect(written.out).toContain('pg1 is primary, term 9. Writes waited 121 ms.');
    expect(written.out).toContain('Receipt R-0142. Undo: understudy switchover --to pg0');
  });

  it('prints nothing but the receipt with --json', async () => {
    carriesOut(exampleReceipt);
    const { ended, written } = start('switchover', '--json');
    await until(() => world.backend.operation() !== null, 'its beginning');
    world.backend.setOperation({ ...finished, id: exampleReceipt.id });
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
    world.backend.cancel = async (id) => {
      world.backend.setOperation({ ...exampleOperation, id, phase: 'undone', reason: 'cancelled', detail: '' });
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

describe('failover', () => {
  /** The fake's primary is pg0 in term 8; once the loss is recorded it is pg1 in term 9. */
  beforeEach(() => {
    const { status, failover } = world.backend;
    const [standby] = createFakeBackend().status().nodes;
    let recorded = false;
    world.backend.failover = async (request, by) => {
      recorded ||= request.accept !== null;
      return await failover(request, by);
    };
    const postgres = { state: 'primary', timeline: 5, lsn: '0/6000000' } as const;
    const nodes = ['pg0', 'pg1'].flatMap((node) =>
      standby === undefined ? [] : [{ ...standby, node, address: '127.0.0.1', postgres }],
    );
    world.backend.status = () => (recorded ? { ...status(), term: 9, primary: 'pg1', nodes } : status());
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
    expect(world.backend.calls).toEqual([['failover', 'ernest']]);
  });

  it('asks before it accepts, and goes on with what was shown', async () => {
    typed = 'yes';
    const orders: unknown[] = [];
    const { failover } = world.backend;
    world.backend.failover = async (request, by) => {
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
    typed = 'y';
    expect((await cli('failover', '--accept-loss')).exit).toBe(3);
    typed = null;
    expect(await cli('failover', '--accept-loss')).toMatchObject({ exit: 2, err: expect.stringContaining('--yes') });
    expect(world.backend.calls).toEqual([
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
    world.backend.failover = async () => ({ outcome: 'refused', plan });
    const { exit, out } = await cli('failover', '--accept-loss', '--yes');
    expect(exit).toBe(3);
    expect(out).toContain('✗ pg0 holds the lease of term 8 (lease-held)\n  -> if it works: understudy switchover');
    expect(JSON.parse((await cli('failover', '--json')).out)).toEqual({ outcome: 'refused', ...plan });
  });
});

describe('read-only', () => {
  /** What the one pooler of the status says of itself. */
  function poolerServes(readOnly: boolean): void {
    const { status } = world.backend;
    world.backend.status = () => {
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
    expect(world.backend.calls).toEqual([
      ['read-only on', 'ernest'],
      ['read-only off', 'ernest'],
    ]);
  });

  it('names the poolers that have not followed when the wait is over', async () => {
    poolerServes(false);
    const { status } = world.backend;
    let looks = 0;
    world.backend.status = () => {
      if (world.backend.calls.length > 0) looks += 1;
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
    expect(world.backend.calls).toEqual([]);
  });

  it('says why it was refused', async () => {
    world.backend.readOnly = async () => ({ accepted: false, because: 'not now' });
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
    expect(world.backend.calls).toEqual([
      ['hands-off 7200000', 'ernest'],
      ['hands-off null', 'ernest'],
    ]);
  });

  it('is shown by itself and above everything in the status', async () => {
    expect((await cli('hands-off')).out).toBe('hands are on: the automation acts\n');
    const { status } = world.backend;
    world.backend.status = () => ({ ...status(), handsOff: kept });
    const text = 'HANDS OFF for another 90 min, as kim asked: nothing fails over, starts or is cloned';
    expect((await cli('hands-off')).out).toBe(`${text}\n`);
    expect((await cli('status')).out.split('\n')[1]).toBe(text);
    expect(JSON.parse((await cli('hands-off', '--json')).out)).toEqual({ handsOff: true, ...kept });
  });

  it('is refused with the reason', async () => {
    world.backend.handsOff = async () => ({ accepted: false, because: 'switchover S-1 is under way' });
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
    expect(world.backend.calls).toEqual([]);
  });
});

describe('uri', () => {
  function writeConnection(application: string): void {
    const state = join(directory, 'state', 'apps', application);
    mkdirSync(state, { recursive: true });
    const connection = {
      host: '127.0.0.9',
      port: 6432,
      socketDirectory: '/run/x',
      user: application,
      passfile: join(state, 'pgpass'),
      write: application,
      read: `${application}-ro`,
    };
    writeFileSync(join(state, 'connection.json'), JSON.stringify(connection));
  }

  it('names the passfile and no password', async () => {
    writeConnection('wiki');
    const passfile = encodeURIComponent(join(directory, 'state', 'apps', 'wiki', 'pgpass'));
    expect((await cli('uri')).out).toBe(`postgresql://wiki@127.0.0.9:6432/wiki?passfile=${passfile}&sslmode=disable\n`);
    expect((await cli('uri', '--read-only')).out).toContain('/wiki-ro?');
  });

  it('lists the applications when it has to be told which', async () => {
    writeConnection('wiki');
    writeConnection('shop');
    const { exit, err } = await cli('uri');
    expect(exit).toBe(2);
    expect(err).toContain('shop, wiki');
    expect((await cli('uri', '--app', 'shop', '--node', 'web0')).out).toContain('postgresql://shop@');
    expect((await cli('uri', '--app', 'pay')).exit).toBe(2);
  });
});

describe('plan and apply', () => {
  const clusterFile = () => join(directory, 'cluster.yaml');
  beforeEach(() => writeFileSync(clusterFile(), renderClusterFile(exampleSpec)));

  it('names every mistake with its place, and asks nobody', async () => {
    writeFileSync(clusterFile(), 'cluster: psf\nnonsense: 1\n');
    const { exit, err } = await cli('apply', clusterFile());
    expect(exit).toBe(2);
    expect(err).toContain('cluster.yaml:2:1 nonsense');
    expect(world.backend.calls).toEqual([]);
  });

  it('shows what would change, and changes nothing', async () => {
    writeFileSync(clusterFile(), renderClusterFile(exampleSpec).replace('8MB', '16MB'));
    const { exit, out } = await cli('plan', clusterFile());
    expect(exit).toBe(0);
    expect(out).toContain('work_mem 8MB -> 16MB');
    expect(world.backend.calls).toEqual([]);
  });

  it('refuses what is not safe', async () => {
    writeFileSync(clusterFile(), renderClusterFile({ ...exampleSpec, cluster: 'other' }));
    expect((await cli('plan', clusterFile())).exit).toBe(3);
    expect((await cli('apply', clusterFile())).exit).toBe(3);
    expect(world.backend.calls).toEqual([]);
  });

  it('says who is not as declared when the time is over', async () => {
    writeFileSync(clusterFile(), renderClusterFile(exampleSpec).replace('8MB', '16MB'));
    const { exit, out, err } = await cli('apply', clusterFile(), '--timeout', '0.2', '--json');
    expect(exit).toBe(1);
    expect(JSON.parse(out)).toMatchObject({ revision: 4, converged: false });
    expect(JSON.parse(err).message).toContain('pg0: its agent does not answer');
    expect(world.backend.calls).toEqual([['apply', 'ernest']]);
  });

  it('passes a conflict on', async () => {
    writeFileSync(clusterFile(), renderClusterFile(exampleSpec).replace('8MB', '16MB'));
    world.backend.apply = async () => {
      throw new UnderstudyError('CONFLICT', 'the spec is at revision 5');
    };
    expect((await cli('apply', clusterFile())).exit).toBe(3);
  });
});
