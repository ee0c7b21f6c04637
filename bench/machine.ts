/** What a figure depends on: the machine and the versions. */
import { existsSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { findBinaries } from '../src/postgres/binaries.ts';
import { run } from '../src/process/run.ts';
import { newestMajor } from './bench-spec.ts';

export async function machineFacts() {
  return {
    cores: cpus().length,
    processor: cpus()[0]?.model ?? 'unknown',
    memoryGiB: Math.round(totalmem() / 1024 ** 3),
    kernel: release(),
    node: process.versions.node,
    postgres: (await findBinaries(await newestMajor(), null)).version,
    pgbouncer: await versionOf(['/usr/sbin/pgbouncer', '/usr/bin/pgbouncer', '/usr/local/bin/pgbouncer'], '-V'),
    etcd: await versionOf(['/usr/bin/etcd', '/usr/local/bin/etcd'], '--version'),
  };
}

async function versionOf(places: readonly string[], flag: string): Promise<string> {
  const program = places.find((place) => existsSync(place));
  if (program === undefined) return 'missing';
  const { stdout } = await run(program, [flag], { withinMs: 5_000 });
  return /\d+\.\d+(\.\d+)?/.exec(stdout)?.[0] ?? 'unknown';
}
