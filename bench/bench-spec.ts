/** The declaration that the bare servers take their parameters from: that of a stage with three database nodes. */
import type { Spec } from '../src/core/spec.ts';
import { findBinaries, supportedMajors } from '../src/postgres/binaries.ts';
import { stageAccount } from '../src/stage/account.ts';
import { demonstrationSpec } from '../src/stage/demonstration.ts';

export async function newestMajor(): Promise<number> {
  for (let major: number = supportedMajors.to; major > supportedMajors.from; major -= 1) {
    const found = await findBinaries(major, null).catch(() => null);
    if (found !== null) return major;
  }
  return supportedMajors.from;
}

export async function benchSpec(): Promise<Spec> {
  const nodes = [1, 2, 3].map((number) => ({
    name: `db${number}`,
    role: 'database' as const,
    address: `127.0.0.${number}`,
  }));
  const record = {
    version: 1 as const,
    cluster: 'floor',
    domain: 'floor.internal',
    root: '/',
    run: '/',
    network: '127.0.0',
    user: await stageAccount(),
    namespaces: false,
    diskMb: null,
    storeMembers: ['db1'],
    storeHosts: [],
    nodes,
  };
  return demonstrationSpec(record, await newestMajor());
}
