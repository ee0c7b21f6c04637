/** A stage of a bench: in a directory of its own, spoken to through its API and the built command line. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { createAgentClient } from '../src/api/client.ts';
import { answers } from '../src/api/schemas/answers.ts';
import type { Receipt } from '../src/core/receipt.ts';
import type { ClusterStatus } from '../src/core/status.ts';
import { isUnderstudyError } from '../src/errors/understudy-error.ts';
import { credentialFiles, readCredentials } from '../src/pki/credential-files.ts';
import { type RunResult, run } from '../src/process/run.ts';
import { stagePorts } from '../src/stage/network.ts';
import { applicationFiles, findStage, type StageRecord } from '../src/stage/record.ts';
import { stageDown, stageUp } from '../src/stage/stage.ts';
import { createLinuxClock } from '../src/timing/linux-clock.ts';
import { until } from './waiting.ts';

const program = join(resolve(import.meta.dirname, '..'), 'dist', 'understudy.mjs');
const clock = createLinuxClock();
const moveWithinMs = 120_000;
const healthyWithinMs = 60_000;
const localWithinMs = 10_000;
const ends = ['SIGINT', 'SIGTERM'] as const;

export class StageUnderTest {
  readonly record: StageRecord;
  /** From nothing to healthy. */
  readonly upMs: number;
  readonly directory: string;

  private constructor(directory: string, record: StageRecord, upMs: number) {
    this.directory = directory;
    this.record = record;
    this.upMs = upMs;
  }

  /** Starts one, and ends it with everything it made, however `use` ends. */
  static async with<T>(
    size: {
      readonly nodes: number;
      readonly appNodes: number;
      readonly namespaces?: boolean;
      readonly diskMb?: number;
      /** Called before its files are removed. */
      readonly failed?: (record: StageRecord) => void;
    },
    use: (stage: StageUnderTest) => Promise<T>,
  ): Promise<T> {
    if (!existsSync(program)) throw new Error('benches measure the built program: npm run build');
    const directory = mkdtempSync(join(tmpdir(), 'understudy-bench-'));
    const end = async (): Promise<void> => {
      await stageDown({ directory, purge: true, clock });
      rmSync(directory, { recursive: true, force: true });
    };
    let isEnding = false;
    // Asked twice, as by a terminal and by what passes its signals on, it must still come to the end of that.
    const interrupted = (): void => {
      if (isEnding) return;
      isEnding = true;
      void end().finally(() => process.exit(1));
    };
    for (const signal of ends) process.on(signal, interrupted);
    try {
      const begun = performance.now();
      const { record } = await stageUp({ directory, program, ...size, clock, report: () => undefined });
      return await use(new StageUnderTest(directory, record, performance.now() - begun));
    } catch (error) {
      const record = findStage(directory);
      if (record !== null) size.failed?.(record);
      throw error;
    } finally {
      for (const signal of ends) process.off(signal, interrupted);
      await end();
    }
  }

  /** How the demonstration's application connects through the pooler of an app node. */
  application(node = 'app1') {
    const { address } = this.#node(node);
    const pgpass = readFileSync(join(applicationFiles(this.record, node), 'shop', 'pgpass'), 'utf8');
    const password = pgpass.split('\n')[0]?.split(':').at(-1) ?? '';
    return { host: address, port: stagePorts.pooler, user: 'shop', database: 'shop', password };
  }

  async status(): Promise<ClusterStatus> {
    let last: unknown = null;
    for (const node of this.record.nodes.filter((other) => other.role === 'database')) {
      try {
        return await this.#statusOf(node.name);
      } catch (error) {
        if (!isUnderstudyError(error)) throw error;
        last = error;
      }
    }
    throw last;
  }

  async untilHealthy(): Promise<void> {
    await until('the stage is healthy', healthyWithinMs, 50, async () => {
      const status = await this.status().catch(() => null);
      return status?.verdict === 'HEALTHY';
    });
  }

  /** Runs the built command line in the stage's directory. */
  async cli(...args: readonly string[]): Promise<RunResult> {
    return await run(process.execPath, [program, ...args], {
      cwd: this.directory,
      withinMs: moveWithinMs,
      anyExit: true,
    });
  }

  /** One value as the superuser over a node's own socket. */
  async local(node: string, sql: string): Promise<string> {
    const user = process.getuid?.() === 0 ? { user: this.record.user } : {};
    const args = ['-X', '-h', join(this.record.run, node), '-U', 'postgres', '-d', 'shop', '-At', '-c', sql];
    return (await run('psql', args, { withinMs: localWithinMs, ...user, cwd: '/' })).stdout.trim();
  }

  /** Moves the primary to where the cluster likes it best. */
  async move(): Promise<Receipt> {
    const result = await this.cli('switchover', '--json');
    if (result.code !== 0)
      throw new Error(`the switchover ended with ${result.code}: ${result.stdout}${result.stderr}`);
    return z
      .pipe(
        z.string().transform((text): unknown => JSON.parse(text)),
        answers.receipt,
      )
      .parse(result.stdout);
  }

  async #statusOf(name: string): Promise<ClusterStatus> {
    const { address } = this.#node(name);
    const { cluster, domain, root } = this.record;
    const tls = await readCredentials(credentialFiles(join(root, 'operator'), 'operator'));
    const hostName = `${name}.${domain}`;
    const client = createAgentClient({ cluster, node: name, hostName, address, port: stagePorts.api, tls });
    try {
      return await client.status({ withinMs: 2_000 });
    } finally {
      client.close();
    }
  }

  #node(name: string): StageRecord['nodes'][number] {
    const found = this.record.nodes.find((node) => node.name === name);
    if (found === undefined) throw new Error(`the stage has no node ${name}`);
    return found;
  }
}
