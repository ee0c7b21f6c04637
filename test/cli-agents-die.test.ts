/** The verbs while agents die: they move to another one, ask nothing twice, and tell each thing once. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { renderClusterFile } from '../src/config/render.ts';
import type { Operation } from '../src/core/operation.ts';
import type { Receipt } from '../src/core/receipt.ts';
import type { Spec } from '../src/core/spec.ts';
import type { NodeStatus } from '../src/core/status.ts';
import { UnderstudyError } from '../src/errors/understudy-error.ts';
import { type CredentialFiles, credentialFiles, writeCredentials } from '../src/pki/credential-files.ts';
import { type ApiWorld, type Callers, issueCallers, startApi, until } from './fixtures/api-world.ts';
import { type CliRun, startCli } from './fixtures/cli-run.ts';
import { exampleEvent, exampleOperation, exampleReceipt, exampleSpec } from './fixtures/fake-backend.ts';

let callers: Callers;
let directory: string;
let pg0: ApiWorld;
let pg1: ApiWorld;

const begun: Operation = { ...exampleOperation, id: 'S-2' };
const finished: Operation = { ...begun, phase: 'finished', receipt: 'S-2' };
const receipt: Receipt = { ...exampleReceipt, id: 'S-2' };
const preflight = { from: 'pg0', to: 'pg1', poolers: ['web0'], blockers: [], warnings: [] };

/** As they are once the old primary, pg0, follows the new one; at the addresses of this test. */
function nodes(examples: readonly NodeStatus[]): readonly NodeStatus[] {
  const address = '127.0.0.1';
  return examples.flatMap((example) => {
    const standby = { state: 'standby', timeline: 5, receivedLsn: null, replayedLsn: '0/1', lagS: 0 } as const;
    const old: NodeStatus = { ...example, node: 'pg0', address, postgres: { ...standby, streamingFrom: 'pg1' } };
    return [old, { ...example, node: 'pg1', address }];
  });
}

beforeAll(async () => {
  callers = await issueCallers();
});
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'understudy-cli-'));
  await writeCredentials(directory, 'operator', callers.operator);
  pg0 = await startApi(callers);
  pg1 = await startApi(callers, { tls: callers.database });
  for (const { backend } of [pg0, pg1]) {
    const { status } = backend;
    // No primary: its agent would be asked once more.
    backend.status = () => ({ ...status(), nodes: nodes(status().nodes), primary: null });
    backend.setOperation(null);
    backend.receipt = async (id) => (id === receipt.id && backend.operation()?.phase === 'finished' ? receipt : null);
  }
});
afterEach(async () => {
  await Promise.all([pg0.close(), pg1.close()]);
  rmSync(directory, { recursive: true, force: true });
});

function writeContext(tls: CredentialFiles): string {
  const agents = [pg0, pg1].map(({ port }, index) => ({
    node: `pg${index}`,
    role: 'database',
    address: '127.0.0.1',
    port,
  }));
  const file = join(directory, 'context.json');
  writeFileSync(file, JSON.stringify({ cluster: 'psf', domain: 'psf.io', agents, tls }));
  return file;
}

const start = (...argv: readonly string[]): CliRun =>
  startCli(argv, { context: writeContext(credentialFiles(directory, 'operator')), directory });

describe('a switchover', () => {
  it('is followed by another agent when the one that began it dies', async () => {
    pg0.backend.switchover = async (request) => {
      if (request.dryRun) return { outcome: 'checked', preflight };
      pg0.backend.setOperation(begun);
      pg1.backend.setOperation(begun);
      return { outcome: 'started', preflight, operation: begun.id };
    };
    let asked = 0;
    pg1.backend.operation = () => {
      asked += 1;
      if (asked > 3) pg1.backend.operation = () => finished;
      return begun;
    };
    // Dies once its answer was given and the operation was looked at.
    pg0.backend.operation = () => {
      if (pg0.backend.calls.length > 0) void pg0.close();
      pg0.backend.calls.push(['operation', '']);
      return null;
    };
    const { ended, written } = start('switchover', '--json');
    expect(await ended).toBe(0);
    expect(JSON.parse(written.out)).toMatchObject({ id: 'S-2', outcome: 'finished' });
    expect(written.err).toBe('');
  });

  it('is not begun twice when the answer is lost', async () => {
    const targets: unknown[] = [];
    pg0.backend.switchover = async (request) => {
      if (request.dryRun) return { outcome: 'checked', preflight };
      targets.push(request.to);
      pg1.backend.setOperation(begun);
      void pg0.close();
      return await new Promise(() => undefined);
    };
    pg1.backend.switchover = async (request) => {
      targets.push(request.to);
      pg1.backend.setOperation(finished);
      const blockers = [{ what: 'switchover', blockedBy: 'operation-active', text: 'switchover S-2 is under way' }];
      return { outcome: 'refused', preflight: { ...preflight, blockers } };
    };
    const { ended, written } = start('switchover', '--json');
    expect(await ended).toBe(0);
    // The target was pinned by the preflight, so that asking again could not move the primary back.
    expect(targets).toEqual(['pg1', 'pg1']);
    expect(JSON.parse(written.out)).toMatchObject({ id: 'S-2' });
  });
});

it('events go on from another agent, each once', async () => {
  const { ended, interrupt, written } = start('events', '--follow', '--json');
  await until(() => written.out.split('\n').length === 4, 'the first three');
  for (const { backend } of [pg0, pg1]) backend.journal.take([exampleEvent(4)]);
  await until(() => written.out.split('\n').length === 5, 'the fourth');
  await pg0.close();
  pg1.backend.journal.take([exampleEvent(5)]);
  await until(() => written.out.includes('"sequence":5'), 'the fifth');
  interrupt();
  expect(await ended).toBe(0);
  const sequences = written.out
    .trimEnd()
    .split('\n')
    .map((line) => /"sequence":(\d+)/.exec(line)?.[1]);
  expect(sequences).toEqual(['1', '2', '3', '4', '5']);
});

describe('an apply whose agent dies before its answer', () => {
  const next: Spec = { ...exampleSpec, contact: 'kim' };
  const inForce = (revision: number, spec: Spec) => ({ revision, spec, appliedAt: '', appliedBy: 'ernest' });
  let orders = 0;
  beforeEach(() => {
    orders = 0;
    writeFileSync(join(directory, 'cluster.yaml'), renderClusterFile(next));
  });
  /** `what`: becomes of the order before it dies. */
  const dying = (what: () => void) => {
    for (const { backend, close } of [pg0, pg1]) {
      backend.apply = async () => {
        orders += 1;
        what();
        void close();
        return await new Promise<never>(() => undefined);
      };
    }
  };
  const apply = async () => {
    const { ended, written } = start('apply', join(directory, 'cluster.yaml'), '--timeout', '0.1', '--json');
    return { exit: await ended, ...written };
  };

  it('goes on with the revision that another one names', async () => {
    dying(() => {
      for (const { backend } of [pg0, pg1]) backend.spec = () => inForce(4, next);
    });
    const { exit, out, err } = await apply();
    expect(err).toContain('another one says that this is declared, revision 4');
    expect(JSON.parse(out)).toMatchObject({ revision: 4 });
    expect({ exit, orders }).toEqual({ exit: 1, orders: 1 });
  });

  it('says that the former one is in force, and how to look again', async () => {
    dying(() => undefined);
    const { exit, err } = await apply();
    expect({ exit, orders }).toEqual({ exit: 4, orders: 1 });
    expect(lastError(err)).toMatchObject({
      code: 'AGENT_UNREACHABLE',
      message: expect.stringContaining('gave no answer, and revision 3 is in force as before'),
      hint: expect.stringMatching(/^look once more with understudy plan \/.*cluster\.yaml/),
    });
  });

  it('says that somebody else was quicker', async () => {
    dying(() => {
      for (const { backend } of [pg0, pg1]) backend.spec = () => inForce(4, { ...next, contact: 'alex' });
    });
    const { exit, err } = await apply();
    expect(exit).toBe(3);
    expect(lastError(err)).toMatchObject({ code: 'CONFLICT', message: expect.stringContaining('declared revision 4') });
  });

  it('says that it may have been done where nobody is left to ask', async () => {
    dying(() => void Promise.all([pg0.close(), pg1.close()]));
    const { exit, err } = await apply();
    expect(exit).toBe(4);
    expect(err).not.toContain('authorities');
    expect(lastError(err)).toMatchObject({
      hint: expect.stringMatching(/^the file may have been applied: look with understudy plan \//),
    });
  });
});

/** Notes may stand before it. */
function lastError(err: string): unknown {
  return JSON.parse(err.trimEnd().split('\n').at(-1) ?? '');
}

describe('what no agent answers', () => {
  it('a certificate that is not accepted is told as that, not as silence', async () => {
    await writeCredentials(directory, 'operator', callers.expired);
    const { ended, written } = start('status', '--json');
    expect(await ended).toBe(3);
    expect(JSON.parse(written.err)).toMatchObject({ code: 'CERTIFICATE_REFUSED' });
  });

  it('a node that did not answer is not said to have lost nothing', async () => {
    await pg0.close();
    pg1.backend.lost = async () => [];
    const { ended, written } = start('lost');
    expect(await ended).toBe(0);
    expect(written.err).toContain('pg0 did not answer');
    expect(written.out).toBe('Of the nodes that answered none had committed anything alone; of pg0 it is not known.\n');
  });

  it('by-hand is refused while it is not known whether the store answers', async () => {
    await writeCredentials(directory, 'operator', callers.expired);
    const { ended, written } = start('by-hand', '--perform', 'stop', '--yes');
    expect(await ended).toBe(3);
    expect(written.err).toContain('it is not known whether the store answers the agent of pg0');
  });

  it('by-hand is refused when one of the agents hears the store', async () => {
    const { status } = pg1.backend;
    await pg0.close();
    pg1.backend.status = () => ({ ...status(), storeAgeMs: 3_000 });
    const { ended, written } = start('by-hand', '--perform', 'stop', '--yes');
    expect(await ended).toBe(3);
    expect(written.err).toContain('the store answers the agent of pg1');
  });

  it('an agent without its store does not stand for the others', async () => {
    pg0.backend.status = () => {
      throw new UnderstudyError('STORE_UNREACHABLE', 'no decision yet');
    };
    const { ended, written } = start('status');
    expect(await ended).toBe(0);
    expect(written.out).toContain('psf HEALTHY');
  });

  it('names every address with its reason', async () => {
    await Promise.all([pg0.close(), pg1.close()]);
    const { ended, written } = start('status');
    expect(await ended).toBe(4);
    for (const { port } of [pg0, pg1]) expect(written.err).toContain(`127.0.0.1:${port}: nobody listens there`);
    expect(written.err).toMatch(/\nhint: /);
  });
});
