/**
 * What may happen to backups and to what is restored from them. Each scenario strikes, says what a person was told (`told`, with the exit
 * code), and how long after the fault was over everything was as before (`backMs`); `null` where nothing had to come back. It throws
 * when something is not as it should be: nothing told, or nothing came back.
 */
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { type RunResult, run } from '../src/process/run.ts';
import { ordered } from '../test/fixtures/stage-backups.ts';
import { begun, killProgram, programsAt, readyWithinMs, type Scene } from './backup-fault-scene.ts';
import { until } from './waiting.ts';

export interface Struck {
  readonly told: string;
  readonly backMs: number | null;
}

export interface BackupScenario {
  readonly name: string;
  play(scene: Scene): Promise<Struck>;
}

const standing = z.object({
  repository: z
    .object({
      safeUntil: z.string().nullable(),
      contents: z.object({ state: z.string(), backups: z.array(z.object({ label: z.string() })) }),
    })
    .nullable(),
  window: z.object({ stretches: z.array(z.object({ end: z.object({ because: z.string() }) })) }).nullable(),
});

export async function standingOf({ stage }: Scene): Promise<z.infer<typeof standing>> {
  const { stdout } = await ordered(stage, 'backup', 'list', '--json');
  return standing.parse(JSON.parse(stdout));
}

/** Until a commit of now is in the repository, in ms. */
export async function untilSafe(scene: Scene, fromMs = Date.now()): Promise<number> {
  await until('commits are safe again', 2 * readyWithinMs, 500, async () => {
    const { repository } = await standingOf(scene);
    return Date.parse(repository?.safeUntil ?? '') >= fromMs;
  });
  return Date.now() - fromMs;
}

/** The last line of what was said, by which a person knows. */
function said({ code, stderr, stdout }: RunResult): string {
  const lines = `${stdout}\n${stderr}`.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('hint'));
  const line = lines.find((one) => one.startsWith('understudy: ')) ?? lines.at(-1) ?? 'nothing';
  return `exit ${code}: ${line.trim().slice(0, 240)}`;
}

async function refusedWith(code: number, { stage }: Scene, ...args: readonly string[]): Promise<string> {
  const result = await stage.cli(...args);
  if (result.code !== code) throw new Error(`${args.join(' ')}: ${code} was due, and it ${said(result)}`);
  return said(result);
}

async function eventsOf({ stage }: Scene): Promise<string> {
  return (await ordered(stage, 'events')).stdout;
}

/** How long an order takes to succeed, asked again and again. */
async function untilDone({ stage }: Scene, ...args: readonly string[]): Promise<number> {
  const fromMs = Date.now();
  await until(args.join(' '), 2 * readyWithinMs, 500, async () => (await stage.cli(...args)).code === 0);
  return Date.now() - fromMs;
}

export function bucketAway(minutes: number): BackupScenario {
  return {
    name: `bucket unreachable for ${minutes} min under load`,
    async play(scene) {
      const { history, stage, store } = scene;
      const [failed, written] = [history.failed, history.acknowledged.size];
      await store.stop();
      await delay(minutes * 60_000);
      const { verdict, reasons } = z
        .looseObject({ verdict: z.string(), reasons: z.array(z.unknown()).optional() })
        .parse(JSON.parse((await stage.cli('status', '--json')).stdout));
      const events = await eventsOf(scene);
      if (!events.includes('repository of backups')) throw new Error('no event tells that the repository is away');
      const more = `${history.acknowledged.size - written} commits meanwhile, ${history.failed - failed} failed`;
      await store.start();
      const backMs = await untilSafe(scene);
      return { told: `${verdict} ${JSON.stringify(reasons ?? [])}, event; ${more}`, backMs };
    },
  };
}

const backupKilled: BackupScenario = {
  name: 'kill -9 of pgbackrest in a backup',
  async play(scene) {
    const order = scene.stage.cli('backup', 'now', '--full');
    await killProgram(scene.stage, 'backup', 1_000);
    const result = await order;
    if (result.code !== 1) throw new Error(`the backup was killed, and it ${said(result)}`);
    return { told: said(result), backMs: await untilDone(scene, 'backup', 'now', '--full') };
  },
};

const backupAgentKilled: BackupScenario = {
  name: 'kill -9 of the agent in its backup',
  async play(scene) {
    const { stage } = scene;
    const order = stage.cli('backup', 'now', '--full');
    await until('it copies', readyWithinMs, 50, () => programsAt(scene.stage, 'backup').length > 0);
    const { run } = z
      .looseObject({ run: z.looseObject({ node: z.string() }) })
      .parse(JSON.parse((await stage.cli('backup', 'list', '--json')).stdout));
    await ordered(stage, 'stage', 'fault', 'kill', run.node, '--what', 'agent');
    await until('its program ends with it', readyWithinMs, 50, () => programsAt(scene.stage, 'backup').length === 0);
    await ordered(stage, 'stage', 'fault', 'heal');
    const told = said(await order);
    await stage.untilHealthy().catch(() => undefined);
    return { told, backMs: await untilDone(scene, 'backup', 'now', '--full') };
  },
};

const restoreKilled: BackupScenario = {
  name: 'kill -9 of restore (and pgbackrest) while it copies',
  async play(scene) {
    const { stage } = scene;
    const into = join(stage.record.root, 'killed-restore');
    const args = ['restore', '--to', 'latest', '--into', into, '--yes'] as const;
    const first = begun(stage, ...args);
    await until('it copies', readyWithinMs, 20, () => programsAt(scene.stage, 'restore').length > 0);
    await delay(500);
    first.kill();
    await first.ended;
    const plan = await stage.cli(...args, '--dry-run');
    const goesOn = plan.stdout.split('\n').find((line) => line.includes('goes on')) ?? said(plan);
    const backMs = await untilDone(scene, ...args);
    rmSync(into, { recursive: true, force: true });
    return { told: goesOn.trim(), backMs };
  },
};

const proofKilled: BackupScenario = {
  name: 'kill -9 of the agent in its proof',
  async play(scene) {
    const { stage } = scene;
    const { primary } = await stage.status();
    const prover = stage.record.nodes.find(({ name, role }) => role === 'database' && name !== primary)?.name ?? '';
    const order = stage.cli('backup', 'prove', '--on', prover);
    await until('it restores', readyWithinMs, 20, () => programsAt(scene.stage, 'restore').length > 0);
    await ordered(stage, 'stage', 'fault', 'kill', prover, '--what', 'agent');
    await ordered(stage, 'stage', 'fault', 'heal');
    const told = said(await order);
    const scratch = join(stage.record.root, prover, 'state', 'past', 'proof');
    await until(
      'nothing is left of it',
      readyWithinMs,
      200,
      () => !existsSync(scratch) || readdirSync(scratch).length === 0,
    );
    return { told, backMs: await untilDone(scene, 'backup', 'prove', '--on', prover) };
  },
};

const wrongPassphrase: BackupScenario = {
  name: 'wrong passphrase',
  async play(scene) {
    const { files, stage } = scene;
    const wrong = join(stage.directory, 'wrong-passphrase');
    writeFileSync(wrong, 'not the passphrase of this repository\n', { mode: 0o600 });
    const into = join(stage.record.root, 'never');
    const secret = ['--passphrase-file', wrong, '--credentials', files.credentials];
    const result = await stage.cli('recover', files.cluster, '--data', into, ...secret, '--yes');
    if (result.code === 0 || existsSync(into)) throw new Error(`a wrong passphrase: ${said(result)}`);
    return { told: said(result), backMs: null };
  },
};

const outsideWindow: BackupScenario = {
  name: 'target outside the window',
  async play(scene) {
    const into = join(scene.stage.record.root, 'never');
    const early = await refusedWith(3, scene, 'restore', '--to', '2020-01-01T00:00:00Z', '--into', into, '--yes');
    const late = await refusedWith(2, scene, 'restore', '--to', '2090-01-01T00:00:00Z', '--into', into, '--yes');
    const past = await refusedWith(3, scene, 'past', '2020-01-01T00:00:00Z');
    if (existsSync(into)) throw new Error('something was touched');
    return { told: `${early} | ${late} | past: ${past}`, backMs: null };
  },
};

const found = z.object({
  proof: z.object({
    result: z.object({ failedIn: z.string().nullable(), findings: z.array(z.string()) }).nullable(),
  }),
});

/** What a person does meanwhile: an older backup comes to the same moment. */
async function restoreFromOther(scene: Scene, damaged: string): Promise<void> {
  const { stage } = scene;
  const { repository } = await standingOf(scene);
  const other = repository?.contents.backups.findLast(({ label }) => label < damaged)?.label ?? 'none';
  const into = join(stage.record.root, 'from-other');
  await ordered(stage, 'restore', '--to', 'latest', '--into', into, '--backup', other, '--yes');
  rmSync(into, { recursive: true, force: true });
}

const corrupted: BackupScenario = {
  name: 'corrupted object, found by proof',
  async play(scene) {
    const { stage, store } = scene;
    await ordered(stage, 'backup', 'now', '--full');
    await delay(3_500); // ends of backups are known to the second, and a proof keeps its distance
    await untilSafe(scene);
    const [largest] = [...store.objects('pg/backup/')]
      .filter(({ key }) => /\d{8}-\d{6}F\/(bundle|pg_data)/.test(key))
      .sort((a, b) => (newer(a.key, b.key) === 0 ? b.bytes - a.bytes : newer(a.key, b.key)));
    store.corrupt(largest?.key ?? 'none');
    const proof = await stage.cli('backup', 'prove', '--to', await newest(scene), '--json');
    const { result } = found.parse(JSON.parse(proof.stdout)).proof;
    if (proof.code !== 1 || result === null || result.findings.length === 0) {
      throw new Error(`no proof found it: ${said(proof)}`);
    }
    const told = `exit 1: in ${result.failedIn}: ${result.findings.join('; ').slice(0, 240)}`;
    await restoreFromOther(scene, /\d{8}-\d{6}F/.exec(largest?.key ?? '')?.[0] ?? '');
    await ordered(stage, 'backup', 'now', '--full');
    await delay(3_500);
    await untilSafe(scene);
    return { told, backMs: await untilDone(scene, 'backup', 'prove', '--to', await newest(scene)) };
  },
};

/** Recovery stops at a moment only where a later commit is archived. */
async function newest(scene: Scene): Promise<string> {
  return new Date(Date.parse((await standingOf(scene)).repository?.safeUntil ?? '') - 1_000).toISOString();
}

/** By the backup's label, the newest first. */
function newer(a: string, b: string): number {
  const label = (key: string): string => /\d{8}-\d{6}F/.exec(key)?.[0] ?? '';
  return label(b).localeCompare(label(a));
}

/** On a small file system of its own, mounted where the node would restore. */
const scratchFull: BackupScenario = {
  name: 'disk full where the past and proofs are restored',
  async play(scene) {
    const { stage } = scene;
    const { primary } = await stage.status();
    const prover = stage.record.nodes.find(({ name, role }) => role === 'database' && name !== primary)?.name ?? '';
    const scratch = join(stage.record.root, prover, 'state', 'past');
    await untilSafe(scene);
    const { uid, gid } = stage.record.user;
    const own = async (): Promise<unknown> => await run('chown', [`${uid}:${gid}`, scratch], { withinMs: 5_000 });
    await run('mkdir', ['-p', scratch], { withinMs: 5_000 });
    await own();
    await run('mount', ['-t', 'tmpfs', '-o', 'size=24m,mode=700', 'understudy-bench', scratch], { withinMs: 5_000 });
    await own();
    let told: string;
    try {
      const proof = await stage.cli('backup', 'prove', '--on', prover);
      const past = await stage.cli('past', '2 s ago', '--node', prover);
      if (proof.code === 0 || past.code === 0) throw new Error(`no disk, and: ${said(proof)}; ${said(past)}`);
      told = `proof: ${said(proof)} | past: ${said(past)}`;
    } finally {
      await run('umount', ['-l', scratch], { withinMs: 5_000 });
    }
    return { told, backMs: await untilDone(scene, 'backup', 'prove', '--on', prover) };
  },
};

const isStall = (line: string): boolean => line.includes('has archived no WAL');

async function archiverEvents(scene: Scene): Promise<readonly string[]> {
  return (await eventsOf(scene)).split('\n').filter((line) => line.includes('archive'));
}

/** The spool of what is sent has no room: the program of the archive can't say what it has sent. */
const spoolFull: BackupScenario = {
  name: 'disk full in the spool of the archiver, under load',
  async play(scene) {
    const { history, stage } = scene;
    const { primary } = await stage.status();
    const spool = join(stage.record.root, primary ?? '', 'state', 'pgbackrest', 'spool');
    const failed = history.failed;
    await run('mount', ['-t', 'tmpfs', '-o', 'size=16k,nr_inodes=4,mode=700', 'understudy-bench', spool], {
      withinMs: 5_000,
    });
    const { uid, gid } = stage.record.user;
    await run('chown', [`${uid}:${gid}`, spool], { withinMs: 5_000 });
    writeFileSync(join(spool, 'filled'), Buffer.alloc(12_288));
    let told: string;
    try {
      await until('the stall is told', 2 * readyWithinMs, 2_000, async () =>
        (await archiverEvents(scene)).some(isStall),
      );
      const verdict = (await stage.cli('status')).stdout.split('\n')[0] ?? '';
      if (!verdict.includes('DEGRADED')) throw new Error(`the archiver stands still, and status says: ${verdict}`);
      const [event] = (await archiverEvents(scene)).filter(isStall);
      told = `${verdict}; ${event?.trim().slice(0, 200)}; ${history.failed - failed} commits failed`;
    } finally {
      await run('umount', ['-l', spool], { withinMs: 5_000 });
    }
    return { told, backMs: await untilSafe(scene) };
  },
};

export const backupScenarios: readonly BackupScenario[] = [
  backupKilled,
  backupAgentKilled,
  restoreKilled,
  proofKilled,
  wrongPassphrase,
  outsideWindow,
  scratchFull,
  spoolFull,
  corrupted,
];
