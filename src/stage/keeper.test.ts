import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createLinuxClock } from '../timing/linux-clock.ts';
import { keepStage } from './keeper.ts';
import type { StageRecord } from './record.ts';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'understudy-keeper-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

it('keeps nothing that it was not named for: the stage may have been ended before it ran', async () => {
  const root = join(directory, '.understudy');
  mkdirSync(root);
  const record: StageRecord = {
    ...{ version: 1, cluster: 'stage', domain: 'stage.internal', root, run: join(root, 'run'), network: '127.1.1' },
    ...{ namespaces: false, diskMb: null, user: { name: 'nobody', uid: 65_534, gid: 65_534 } },
    ...{ storeMembers: [], storeHosts: [], nodes: [] },
  };
  writeFileSync(join(root, 'stage.json'), JSON.stringify(record));
  let now = 0;
  const sleep = async (ms: number) => {
    now += ms;
  };
  await keepStage(directory, { ...createLinuxClock(), boottimeMs: () => now, sleep }, new AbortController().signal);
  expect(existsSync(join(root, 'keeper.pid'))).toBe(false);
});
