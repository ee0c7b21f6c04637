/** The fence against real PostgreSQL: its deadline, whatever becomes of the agent. */
import { type ChildProcess, execFile } from 'node:child_process';
import { existsSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { attentionMs } from '../src/fence/warden.ts';
import type { WatchedFence } from '../src/ports/fence.ts';
import { isAlive } from '../src/process/identity.ts';
import { sendSignal } from '../src/process/signal.ts';
import { clock, type FenceNode, type FenceWorld, openFenceWorld, stateOf } from './fixtures/fence-node.ts';
import { until } from './fixtures/postgres-cluster.ts';
import { leaveRoot } from './fixtures/postgres-user.ts';

let world: FenceWorld;
let node: FenceNode;

beforeAll(async () => {
  leaveRoot();
  world = await openFenceWorld();
});
afterAll(() => world.close());
beforeEach(() => {
  node = world.node();
  node.initialise();
});
afterEach(() => node.close());

const far = () => clock.boottimeMs() + 60_000;

/**
 * Commits as fast as it can, without ever reading from its client, so that it does not notice that its postmaster is
 * gone (a backend that waits for its client does). Every 50th commit is told to the client after it happened.
 */
async function commitForEver() {
  const session = await node.session();
  const [{ pid }] = (await session.query('select pg_backend_pid() as pid')).rows;
  await session.query('create table if not exists t (n bigint)');
  const writer = { told: 0, backend: Number(pid), ended: Promise.resolve('') };
  session.on('notice', () => {
    writer.told += 1;
  });
  const loop = `do $$ declare n bigint := 0; begin loop
    insert into t values (n); commit; n := n + 1;
    if n % 50 = 0 then raise notice '%', n; end if;
  end loop; end $$`;
  writer.ended = session.query(loop).then(
    () => 'it came to an end',
    (error: unknown) => String(error),
  );
  await until('it commits', async () => writer.told > 2);
  return writer;
}

/** The fence's own proof comes a look after the last process has gone. */
async function goneProven(fence: WatchedFence): Promise<Awaited<ReturnType<WatchedFence['status']>>> {
  return await until('gone is proven', async () => {
    const status = await fence.status();
    return status.struck === null ? undefined : status;
  });
}

/** Until a fence that nobody spoke to would have ended a primary, and has looked since: whoever asks has it look. */
async function patienceOver(fence: WatchedFence): Promise<void> {
  await fence.status();
  const overMs = clock.boottimeMs() + attentionMs;
  await until('its patience is over', async () => clock.boottimeMs() > overMs);
  await fence.status();
}

describe('the deadline', () => {
  it('ends PostgreSQL when its agent is stopped, also a backend that survived its postmaster and goes on committing', async () => {
    const agent = await node.startAgent(4_000);
    const writer = await commitForEver();
    const fence = node.fence();
    sendSignal(agent, 'SIGSTOP');
    await until('the agent is stopped', async () => stateOf(agent) === 'T');
    const { deadline } = await fence.status();
    const postmaster = node.postmaster();
    if (postmaster === null) throw new Error('there is no postmaster');
    sendSignal(postmaster, 'SIGKILL');
    await until('the postmaster is gone', async () => !isAlive(postmaster));
    const then = writer.told;
    await until('the backend goes on without it', async () => writer.told > then + 10);
    expect(clock.boottimeMs()).toBeLessThan(deadline?.atMs ?? 0);
    expect((await fence.status()).server).toBe('remnants');
    await writer.ended;
    await node.gone();
    const { struck, server } = await goneProven(fence);
    expect(struck?.goneAtMs).toBeGreaterThanOrEqual(deadline?.atMs ?? Number.POSITIVE_INFINITY);
    expect(struck?.killed).toBeGreaterThan(0);
    expect(server).toBe('none');
    // Thawed, the agent has nothing to stand on: its next deadline is a new one, its server stays gone.
    sendSignal(agent, 'SIGCONT');
    expect(node.servers()).toEqual([]);
  });

  it('ends PostgreSQL when its agent is dead', async () => {
    const agent = await node.startAgent(4_000);
    const writer = await commitForEver();
    sendSignal(agent, 'SIGKILL');
    await writer.ended;
    await node.gone();
    const { struck, deadline } = await goneProven(node.fence());
    expect(struck?.goneAtMs).toBeGreaterThanOrEqual(deadline?.atMs ?? Number.POSITIVE_INFINITY);
  });

  it('ends PostgreSQL when the event loop of its agent is blocked', async () => {
    const agent = await node.startAgent(4_000);
    const writer = await commitForEver();
    sendSignal(agent, 'SIGUSR2'); // the fixture then spins for ever
    await until('it spins', async () => node.agentLog().includes('blocked'));
    await writer.ended;
    await node.gone();
    const { struck, deadline } = await goneProven(node.fence());
    expect(struck?.goneAtMs).toBeGreaterThanOrEqual(deadline?.atMs ?? Number.POSITIVE_INFINITY);
    expect(isAlive(agent)).toBe(true);
  });

  it('ends whoever starts later behind its back, until the deadline is dropped', async () => {
    const agent = await node.startAgent(4_000);
    sendSignal(agent, 'SIGKILL');
    await node.gone();
    const fence = node.fence();
    const { struck: first } = await goneProven(fence);
    // It may be killed before it takes a session.
    const rogue = await node.launchByHand();
    await until('it is killed', async () => !isAlive(rogue));
    const second = await until('gone is proven anew', async () => {
      const { struck } = await fence.status();
      return struck !== null && struck.goneAtMs > (first?.goneAtMs ?? 0) ? struck : undefined;
    });
    expect(second.killed).toBeGreaterThan(0);
    await node.gone();
    await fence.drop();
    const kept = await node.launchByHand();
    // Whoever asks has it look, and strike if it is to.
    const seen = await until('the fence sees it', async () => {
      const status = await fence.status();
      return status.server === 'primary' ? status : undefined;
    });
    expect(seen).toMatchObject({ deadline: null, struck: second });
    expect(isAlive(kept)).toBe(true);
  });

  it('ends a server whose data directory was moved away', async () => {
    const agent = await node.startAgent(4_000);
    const postmaster = node.postmaster();
    renameSync(node.data, `${node.data}.moved`);
    sendSignal(agent, 'SIGKILL');
    await until('it is killed', async () => postmaster !== null && !isAlive(postmaster));
    renameSync(`${node.data}.moved`, node.data);
    await node.gone();
  });

  it('ends who is attached to the shared memory and works elsewhere', async () => {
    const agent = await node.startAgent(4_000);
    const [key = '', id = ''] = (readFileSync(join(node.data, 'postmaster.pid'), 'utf8').split('\n')[6] ?? '')
      .trim()
      .split(/\s+/);
    const attach = `import ctypes,time
libc = ctypes.CDLL(None); libc.shmat.restype = ctypes.c_void_p
assert libc.shmat(${Number(id)}, None, 0) not in (None, ctypes.c_void_p(-1).value)
print('attached', flush=True); time.sleep(600)`;
    const stranger = await python(attach);
    expect(key).not.toBe('');
    sendSignal(agent, 'SIGKILL');
    await until('the stranger is killed', async () => stranger.signalCode === 'SIGKILL');
    await goneProven(node.fence());
  });
});

/** Runs until it has printed something. */
async function python(code: string): Promise<ChildProcess> {
  const child = execFile('/usr/bin/python3', ['-c', code], { cwd: '/' });
  let said = '';
  child.stdout?.on('data', (text: string) => {
    said += text;
  });
  await until('it is attached', async () => said.includes('attached'));
  return child;
}

describe('starting and promoting', () => {
  it('is refused without a deadline, past it, and after a drop; with one ahead it starts', async () => {
    const fence = node.fence();
    await expect(fence.startPrimary(node.start)).rejects.toThrow('no deadline was given');
    const soon = clock.boottimeMs() + 300;
    await fence.extend(3, soon);
    await until('it has passed', async () => clock.boottimeMs() > soon + 20);
    await expect(fence.startPrimary(node.start)).rejects.toThrow('the deadline of term 3 has passed');
    await expect(fence.extend(3, soon)).rejects.toThrow('has passed already');
    await expect(fence.extend(2, far())).rejects.toThrow('term 2 is over');
    await fence.extend(4, far());
    await fence.drop();
    await expect(fence.startPrimary(node.start)).rejects.toThrow('no deadline was given');
    expect(node.servers()).toEqual([]);
    await fence.extend(4, far());
    await expect(fence.startPrimary({ ...node.start, directory: world.template })).rejects.toThrow('watches');
    const started = await fence.startPrimary(node.start);
    await node.ready();
    expect(node.postmaster()).toEqual(started);
    await expect(fence.startPrimary(node.start)).rejects.toThrow('a server runs already');
  });

  it('a deadline is not dropped under a primary, and is when only remnants are left, which are killed', async () => {
    const fence = node.fence();
    await fence.extend(1, far());
    const started = await fence.startPrimary(node.start);
    await node.ready();
    const writer = await commitForEver();
    await expect(fence.drop()).rejects.toThrow('a server runs that is no standby');
    sendSignal(started, 'SIGKILL');
    await until('the postmaster is gone', async () => !isAlive(started));
    await fence.drop();
    await writer.ended;
    expect(node.servers()).toEqual([]);
  });

  it('a standby starts without a deadline and takes away the one there is; it is promoted only under one', async () => {
    const fence = node.fence();
    await fence.extend(1, clock.boottimeMs() + 1_000);
    await expect(fence.startStandby(node.start)).rejects.toThrow('no standby.signal');
    writeFileSync(join(node.data, 'standby.signal'), '', { mode: 0o600 });
    const started = await fence.startStandby(node.start);
    await node.ready();
    expect(await fence.status()).toMatchObject({ server: 'standby', deadline: null, struck: null });
    await expect(fence.promote(started)).rejects.toThrow('no deadline was given');
    expect(existsSync(join(node.data, 'promote'))).toBe(false);
    await fence.extend(1, far());
    await expect(fence.promote({ ...started, startTicks: started.startTicks - 1 })).rejects.toThrow('not the server');
    await fence.promote(started);
    const session = await node.session();
    await until('it is promoted', async () => {
      const { rows } = await session.query('select pg_is_in_recovery() as r');
      return rows[0]?.r === false;
    });
    await until('the fence sees it', async () => (await fence.status()).server === 'primary');
  });

  it('is refused when whoever asked has given up meanwhile', async () => {
    const fence = node.fence();
    await fence.extend(1, far());
    const frozen = (await fence.status()).process;
    sendSignal(frozen, 'SIGSTOP');
    const asked = fence.startPrimary(node.start);
    await expect(asked).rejects.toMatchObject({ code: 'FENCE_UNREACHABLE' });
    sendSignal(frozen, 'SIGCONT');
    await until('it has read what was asked', async () => /refuses start: whoever asked has given up/.test(node.log()));
    expect(node.servers()).toEqual([]);
  });
});

describe('what becomes of the fence', () => {
  it('a killed one is noticed at once, and replaced by one with the same deadline; PostgreSQL goes on', async () => {
    const fence = node.fence();
    const deadlineMs = far();
    await fence.extend(5, deadlineMs);
    const started = await fence.startPrimary(node.start);
    await node.ready();
    const lost: string[] = [];
    fence.onLost((because) => lost.push(because));
    const { process: first } = await fence.status();
    sendSignal(first, 'SIGKILL');
    await until('the agent is told', async () => lost.length > 0);
    const second = await until('another has the deadline', async () => {
      const status = await fence.status().catch(() => null);
      return status?.deadline?.confirmed === true ? status : undefined;
    });
    expect(second.process.pid).not.toBe(first.pid);
    expect(second.deadline).toEqual({ term: 5, atMs: deadlineMs, confirmed: true });
    expect(isAlive(started)).toBe(true);
    expect(lost).toEqual(['the fence is gone']);
  });

  it('one that comes after a killed one kills at its deadline, and permits nothing before a fresh one', async () => {
    const agent = await node.startAgent(4_000);
    const first = await node.fence().status();
    sendSignal(agent, 'SIGSTOP');
    await until('the agent is stopped', async () => stateOf(agent) === 'T');
    sendSignal(first.process, 'SIGKILL');
    await until('the first is gone', async () => !isAlive(first.process));
    const fence = node.fence();
    const second = await fence.status();
    expect(second.process.pid).not.toBe(first.process.pid);
    expect(second.deadline).toMatchObject({ term: 2, confirmed: false });
    const postmaster = node.postmaster();
    if (postmaster === null) throw new Error('there is no postmaster');
    await expect(fence.promote(postmaster)).rejects.toThrow('given to an earlier fence');
    await node.gone();
    const { struck } = await fence.status();
    expect(struck?.goneAtMs).toBeGreaterThanOrEqual(second.deadline?.atMs ?? Number.POSITIVE_INFINITY);
  });

  it('one that knows nothing of the past ends a primary for which nobody speaks, and leaves a standby alone', async () => {
    const primary = await node.startByHand();
    const fence = node.fence();
    expect((await fence.status()).deadline).toBeNull();
    await until('it is killed', async () => !isAlive(primary));
    await node.gone();
    expect(node.log()).toContain('nobody spoke for a primary that runs');

    const other = world.node();
    other.initialise();
    writeFileSync(join(other.data, 'standby.signal'), '', { mode: 0o600 });
    const standby = await other.startByHand();
    const second = other.fence();
    await patienceOver(second);
    expect((await second.status()).server).toBe('standby');
    expect(isAlive(standby)).toBe(true);
  });

  it('one that is given a deadline in time lets a primary go on that it found', async () => {
    const primary = await node.startByHand();
    const fence = node.fence();
    await fence.extend(1, far());
    await patienceOver(fence);
    expect((await fence.status()).server).toBe('primary');
    expect(isAlive(primary)).toBe(true);
  });

  it('there is never a second one, also when several agents start one at once', async () => {
    const clients = Array.from({ length: 4 }, () => node.fence());
    const seen = await Promise.all(clients.map(async (one) => (await one.status()).process.pid));
    expect(new Set(seen).size).toBe(1);
    await until('the others have ended', async () => node.fences().length === 1);
    // Without the lock it does not run at all.
    const { socket, memory } = node.options;
    const alone = await runNode([world.program, socket, node.data, memory]);
    expect(alone).toMatchObject({ code: 1 });
    expect(alone.stderr).toContain('is not locked by this process');
    expect(node.fences().map(({ pid }) => pid)).toEqual([seen[0]]);
  });

  it('one that is stopped is killed and replaced', async () => {
    const fence = node.fence();
    const deadlineMs = far();
    await fence.extend(1, deadlineMs);
    const { process: frozen } = await fence.status();
    sendSignal(frozen, 'SIGSTOP');
    const after = await until('another answers', async () => {
      const status = await fence.status().catch(() => null);
      return status?.deadline?.confirmed === true ? status : undefined;
    });
    expect(after.process.pid).not.toBe(frozen.pid);
    expect(isAlive(frozen)).toBe(false);
  });

  it('one of an older version is ended and replaced, its deadline taken over, also when its agent is gone', async () => {
    const before = await node.startAgent(60_000);
    sendSignal(before, 'SIGKILL');
    const postmaster = node.postmaster();
    const one = node.fence();
    const { process: first } = await one.status();
    one.close(); // or it would replace the first itself
    sendSignal(first, 'SIGKILL');
    await until('it is gone', async () => !isAlive(first));
    const older = await node.startOlderFence(7);
    const fence = node.fence();
    await expect(fence.extend(6, far())).rejects.toThrow('term 6 is over');
    expect(isAlive(older)).toBe(false);
    expect((await fence.status()).deadline).toMatchObject({ term: 7, confirmed: false });
    await fence.extend(7, far());
    expect((await fence.status()).deadline).toMatchObject({ term: 7, confirmed: true });
    expect(postmaster !== null && isAlive(postmaster)).toBe(true);
  });

  it('its memory may be removed, which it survives; where another file stands it lets nothing more begin', async () => {
    const fence = node.fence();
    await fence.extend(1, far());
    rmSync(node.options.memory);
    // It looks for both at the same time.
    rmSync(node.options.socket);
    await until('it has looked after itself', async () => existsSync(node.options.socket));
    await fence.extend(1, far());
    writeFileSync(node.options.memory, '');
    await until('it has seen that', async () => node.log().includes('another file stands in the place of its memory'));
  });

  it('one that is told to end stops a server under its deadline in order first', async () => {
    const fence = node.fence();
    await fence.extend(1, far());
    await fence.startPrimary(node.start);
    await node.ready();
    const { process: own } = await fence.status();
    fence.close();
    for (const ignored of ['SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const) sendSignal(own, ignored);
    sendSignal(own, 'SIGTERM');
    await until('it has ended', async () => !isAlive(own));
    expect(node.servers()).toEqual([]);
    expect(await node.controlState()).toBe('shut-down');
    expect(existsSync(node.options.socket)).toBe(false);
  });

  it('one that is told to end does so at once when nothing depends on it', async () => {
    writeFileSync(join(node.data, 'standby.signal'), '', { mode: 0o600 });
    const standby = await node.startByHand();
    const fence = node.fence();
    const { process: own } = await fence.status();
    fence.close();
    sendSignal(own, 'SIGTERM');
    await until('it has ended', async () => !isAlive(own));
    expect(isAlive(standby)).toBe(true);
  });

  it('can be found again when its socket was removed, and replaces a stale one', async () => {
    writeFileSync(node.options.socket, 'stale');
    const fence = node.fence();
    const { process: own } = await fence.status();
    expect(statSync(node.options.socket).mode & 0o777).toBe(0o600);
    expect(statSync(node.options.memory).mode & 0o777).toBe(0o600);
    rmSync(node.options.socket);
    await until('it listens again', async () => existsSync(node.options.socket));
    expect((await node.fence().status()).process).toEqual(own);
  });
});

function runNode(args: readonly string[]): Promise<{ code: number | null; stderr: string }> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [...args], { cwd: '/' }, (_, __, stderr) => resolve({ code, stderr }));
    let code: number | null = null;
    child.once('exit', (exit) => {
      code = exit;
    });
  });
}

describe('when the host is in trouble', () => {
  it('a full disk under its log changes nothing', async () => {
    const fence = node.fence({ logFile: '/dev/full' });
    const soon = clock.boottimeMs() + 1_500;
    await fence.extend(1, soon);
    const started = await fence.startPrimary(node.start);
    for (let i = 0; i < 100; i += 1) await expect(fence.extend(1, 1)).rejects.toThrow('passed already');
    await until('it is killed', async () => !isAlive(started));
    await node.gone();
    expect((await goneProven(fence)).struck?.goneAtMs).toBeGreaterThanOrEqual(soon);
  });

  it('the watchdog is fed while a deadline stands, and stopped by a drop; a fence that dies leaves it running', async () => {
    writeFileSync(node.watchdog, '');
    const fed = () => readFileSync(node.watchdog, 'latin1');
    const fence = node.fence({ watchdog: node.watchdog });
    expect((await fence.status()).watchdog).toBe('resting');
    await fence.extend(1, far());
    await until('it is fed', async () => fed().length >= 3);
    expect(fed()).toMatch(/^\.+$/);
    expect((await fence.status()).watchdog).toBe('armed');
    await fence.drop();
    await until('it is stopped', async () => fed().endsWith('V'));
    expect((await fence.status()).watchdog).toBe('resting');

    await fence.extend(1, far());
    await until('it is fed', async () => fed().endsWith('.'));
    await fence.extend(1, far());
    const { process: own } = await fence.status();
    fence.close();
    sendSignal(own, 'SIGKILL');
    await until('it is dead', async () => !isAlive(own));
    expect(fed().endsWith('V')).toBe(false);
    // The next one goes on feeding it, for the same deadline.
    const length = fed().length;
    const second = node.fence({ watchdog: node.watchdog });
    await second.status();
    await until('it is fed again', async () => fed().length > length);
  });

  it('a watchdog that can not be used is said to be so', async () => {
    const fence = node.fence({ watchdog: join(node.directory, 'no-such-device') });
    await fence.extend(1, far());
    await until('it has tried', async () => (await fence.status()).watchdog === 'failed');
    // What it says goes another way than what it is asked.
    await until('it says so', async () => node.log().includes('no-such-device can not be used'));
  });
});
