/**
 * Running a cluster without its store and without its agents: the steps, in the only order that is safe.
 *
 *   stop -> choose -> promote -> poolers -> store -> return
 *
 * Invariants: nothing is promoted on this machine before everything of the automation and every PostgreSQL on it has
 * ended; on other machines a person has to see to that, and is told so first. The furthest node is chosen. No data
 * directory is removed: what can't follow the new primary is set aside.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { NodeFile } from '../config/node-file.ts';
import { findNode } from '../core/spec.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { layoutOf, superuser } from '../postgres/layout.ts';
import type { Command } from './command.ts';
import { fenceMemory, fenceMemoryAside } from './new-store.ts';
import { type Account, dataDirectory, type Place } from './place.ts';
import { poolerFile, whatRuns } from './processes.ts';
import type { Examined, Standing } from './standing.ts';

const unit = 'understudy-agent';

export function databaseNodes({ here }: Place): readonly NodeFile[] {
  return here.filter(({ role }) => role === 'database');
}

function command(program: string, args: readonly string[], as: Account | null = null, mayFail = false): Command {
  return { program, args, as, mayFail };
}

/** Agents and fences first, so that none starts again what is stopped after it. */
export function stopAutomation(place: Place, keeper: number | null): readonly Command[] {
  const pids = place.here.flatMap((node) => whatRuns(place, node).automation.map(({ pid }) => String(pid)));
  const all = keeper === null ? pids : [String(keeper), ...pids];
  return [
    ...(place.stage === null ? [command('systemctl', ['stop', unit])] : []),
    // They hold nothing: what they manage outlives them, also when they are killed. One may have just ended.
    ...(all.length === 0 ? [] : [command('kill', ['-KILL', ...all], null, true)]),
  ];
}

export function stopPostgres(place: Place): readonly Command[] {
  return databaseNodes(place).flatMap((node) => {
    const data = dataDirectory(place, node);
    if (whatRuns(place, node).postgres.length === 0) return [];
    return [
      command(
        join(place.binaries, 'pg_ctl'),
        ['-D', data, '-m', 'fast', '-w', '-t', '60', 'stop'],
        place.account,
        true,
      ),
    ];
  });
}

/** What outlived its postmaster goes on committing. */
export function endRemnants(place: Place): readonly Command[] {
  const pids = databaseNodes(place).flatMap((node) => whatRuns(place, node).postgres.map(({ pid }) => String(pid)));
  return pids.length === 0 ? [] : [command('kill', ['-KILL', ...pids], null, true)];
}

export function promote(place: Place, node: NodeFile, wasPrimary: boolean): readonly Command[] {
  const { binaries, account } = place;
  const data = dataDirectory(place, node);
  const { serverLog } = layoutOf({ ...node.directories, data });
  const aside = databaseNodes(place).flatMap((each) =>
    existsSync(fenceMemory(each)) ? [command('mv', ['-f', fenceMemory(each), fenceMemoryAside(each)])] : [],
  );
  return [
    ...aside,
    // Whoever asks for a replicated commit would wait for standbys that are not there.
    command('sed', ['-i', '/^synchronous_standby_names/d', join(data, 'understudy.conf')], account),
    command(join(binaries, 'pg_ctl'), ['-D', data, '-l', serverLog, '-w', '-t', '60', 'start'], account),
    ...(wasPrimary ? [] : [psql(place, node, 'select pg_promote(true, 60)')]),
    psql(place, node, 'select pg_is_in_recovery()'),
  ];
}

/** `select pg_is_in_recovery()` and the like, over the node's own socket. */
export function psql({ binaries, account, spec }: Place, node: NodeFile, sql: string): Command {
  const { port } = spec.spec.postgres;
  const where = ['-h', node.directories.run, '-p', String(port), '-U', superuser, '-d', 'postgres'];
  return command(join(binaries, 'psql'), ['-X', '-At', ...where, '-c', sql], account);
}

export function repointPoolers(place: Place, address: string): readonly Command[] {
  return place.here
    .filter((node) => node.role === 'app')
    .flatMap((node) => {
      const file = poolerFile(node);
      const { pooler } = whatRuns(place, node);
      const port = String(place.spec.spec.poolers.port);
      const console = ['-X', '-h', node.directories.run, '-p', port, '-U', 'pgbouncer', '-d', 'pgbouncer'];
      const edit = command('sed', ['-i', `s/ = host=[^ ]*/ = host=${address}/`, file], place.account);
      if (pooler === null) return [edit, command(node.binaries.pgbouncer ?? 'pgbouncer', ['-d', file], place.account)];
      return [
        edit,
        command('kill', ['-HUP', String(pooler.pid)]),
        // It may have been paused when its agent ended; otherwise this is refused, and nothing is lost.
        command(join(place.binaries, 'psql'), [...console, '-c', 'RESUME'], place.account, true),
      ];
    });
}

/** Whoever can't simply follow the new primary is cloned again by the automation; its data stay beside. */
export function setAside(place: Place, primary: Standing, all: readonly Examined[]): readonly Command[] {
  return databaseNodes(place).flatMap((node) => {
    const standing = all.find((one) => one.node === node.node);
    const data = dataDirectory(place, node);
    if (standing === undefined || standing.node === primary.node || !existsSync(data)) return [];
    if ('lsn' in standing && !standing.wasPrimary && standing.timeline === primary.timeline) return [];
    return [command('mv', [data, freeName(data)])];
  });
}

function freeName(data: string): string {
  for (let number = 1; ; number += 1) {
    const name = `${data}.by-hand-${number}`;
    if (!existsSync(name)) return name;
  }
}

export function startAgents(): readonly Command[] {
  return [command('systemctl', ['start', unit])];
}

export function nodeHere(place: Place, name: string): NodeFile {
  const found = databaseNodes(place).find(({ node }) => node === name);
  if (found !== undefined) return found;
  const known =
    findNode(place.spec.spec, name) === undefined ? 'the cluster has no such node' : 'it is another machine';
  throw new UnderstudyError('NOT_FOUND', `${name} is no database node of this machine: ${known}`);
}

export function addressOf(place: Place, node: string): string {
  return findNode(place.spec.spec, node)?.address ?? nodeHere(place, node).api.address;
}
