/**
 * Simulated servers behave like PostgreSQL: random sequences of writes, kills, starts, promotions, cuts and paused
 * replay, carried out by both, give the same answers, and the same roles, timelines, rows and streams afterwards.
 *
 * LIKENESS_RUNS and LIKENESS_FROM choose more sequences, and others.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { Random } from '../src/sim/world/random.ts';
import { openRealSite } from './fixtures/likeness-real.ts';
import { openSimulatedSite } from './fixtures/likeness-simulated.ts';
import { type Name, names, type Site, type WriteOutcome } from './fixtures/likeness-site.ts';
import { until } from './fixtures/postgres-cluster.ts';
import { leaveRoot } from './fixtures/postgres-user.ts';

const runs = Number(process.env.LIKENESS_RUNS ?? 1);
const from = Number(process.env.LIKENESS_FROM ?? 1);
const steps = 14;

type Command =
  | { readonly do: 'write'; readonly node: Name; readonly row: number; readonly isReplicated: boolean }
  | { readonly do: 'kill' | 'start-primary' | 'cut-off' | 'promote' | 'pause' | 'resume'; readonly node: Name }
  | { readonly do: 'start-standby' | 'follow'; readonly node: Name; readonly upstream: Name };

/** What is asked of whom depends only on what was asked before: both sites get the same sequence. */
class Sequence {
  readonly #random: Random;
  readonly #roles = new Map<Name, 'primary' | 'standby' | 'down'>(
    names.map((name) => [name, name === 'db1' ? 'primary' : 'standby']),
  );
  readonly #upstreams = new Map<Name, Name | null>(names.map((name) => [name, 'db1']));
  readonly #paused = new Set<Name>();
  #primary: Name = 'db1';
  #rows = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  next(): Command {
    const command = this.#random.pick(this.#possible());
    this.#note(command);
    return command;
  }

  #possible(): readonly Command[] {
    const primary = this.#primary;
    const all: Command[] = [];
    const often = (times: number, command: Command): void => {
      for (let count = 0; count < times; count += 1) all.push(command);
    };
    const isUp = this.#roles.get(primary) === 'primary';
    const row = this.#rows + 1;
    if (isUp) often(4, { do: 'write', node: primary, row, isReplicated: false });
    if (isUp) often(5, { do: 'write', node: primary, row, isReplicated: true });
    if (!isUp) often(3, { do: 'start-primary', node: primary });
    for (const node of names) {
      const role = this.#roles.get(node);
      if (role !== 'down') often(node === primary ? 2 : 1, { do: 'kill', node });
      if (role === 'down' && node !== primary) often(3, { do: 'start-standby', node, upstream: primary });
      if (role !== 'standby') continue;
      often(1, { do: 'write', node, row, isReplicated: false });
      often(1, { do: this.#paused.has(node) ? 'resume' : 'pause', node });
      if (this.#upstreams.get(node) === primary) often(1, { do: 'cut-off', node });
      else often(4, { do: 'follow', node, upstream: primary });
      if (!isUp) often(3, { do: 'promote', node });
    }
    return all;
  }

  #note(command: Command): void {
    const { node } = command;
    switch (command.do) {
      case 'write':
        this.#rows = command.row;
        return;
      case 'kill':
        this.#roles.set(node, 'down');
        this.#paused.delete(node);
        return;
      case 'start-primary':
        this.#roles.set(node, 'primary');
        return;
      case 'start-standby':
        this.#roles.set(node, 'standby');
        this.#upstreams.set(node, command.upstream);
        return;
      case 'follow':
        this.#upstreams.set(node, command.upstream);
        return;
      case 'cut-off':
        this.#upstreams.set(node, null);
        return;
      case 'promote':
        this.#roles.set(node, 'primary');
        this.#paused.delete(node);
        this.#primary = node;
        return;
      case 'pause':
        this.#paused.add(node);
        return;
      case 'resume':
        this.#paused.delete(node);
        return;
      default:
        command satisfies never;
    }
  }
}

async function carryOut(site: Site, command: Command): Promise<WriteOutcome | null> {
  const { node } = command;
  switch (command.do) {
    case 'write':
      return await site.write(node, command.row, command.isReplicated);
    case 'kill':
      await site.kill(node);
      return null;
    case 'start-primary':
      await site.startPrimary(node);
      return null;
    case 'start-standby':
      await site.startStandby(node, command.upstream);
      return null;
    case 'follow':
      await site.follow(node, command.upstream);
      return null;
    case 'cut-off':
      await site.cutOff(node);
      return null;
    case 'promote':
      await site.promote(node);
      return null;
    case 'pause':
      await site.pauseReplay(node);
      return null;
    case 'resume':
      await site.resumeReplay(node);
      return null;
    default:
      return command satisfies never;
  }
}

beforeAll(leaveRoot);

describe('simulated servers behave like PostgreSQL', () => {
  for (let run = from; run < from + runs; run += 1) {
    it(`in sequence ${run}`, { timeout: 600_000 }, async () => {
      const simulated = await openSimulatedSite(`likeness ${run}`);
      const real = await openRealSite();
      const done: string[] = [];
      try {
        const sequence = new Sequence(new Random(`sequence ${run}`));
        for (let step = 0; step < steps; step += 1) {
          const command = sequence.next();
          done.push(JSON.stringify(command));
          const answer = await carryOut(simulated, command);
          expect(await carryOut(real, command), done.join('\n')).toEqual(answer);
          const expected = await simulated.facts();
          let seen = await real.facts();
          const isAlike = async (): Promise<boolean> => {
            seen = await real.facts();
            return JSON.stringify(seen) === JSON.stringify(expected);
          };
          await until('both are alike', isAlike, 30_000).catch(() => undefined);
          expect(seen, done.join('\n')).toEqual(expected);
        }
      } finally {
        await real.close();
        await simulated.close();
      }
    });
  }
});
