import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createLinuxClock } from '../timing/linux-clock.ts';
import { beginConstruction } from './construction.ts';
import { readJournal } from './journal.ts';
import { layoutOf } from './layout.ts';
import { deadlineOf } from './waiting.ts';

let home: string;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'us-construction-'));
});

afterEach(() => rmSync(home, { recursive: true }));

it('builds nothing that could not be put in place', async () => {
  const clock = createLinuxClock();
  const layout = layoutOf({ data: '/proc', run: home, log: home, state: home }); // a mount point on every machine
  const begun = beginConstruction(layout, clock, deadlineOf(clock, { withinMs: 5_000 }));
  await expect(begun).rejects.toMatchObject({ code: 'DATA_DIRECTORY_MOUNTED' });
  expect((await readJournal(layout)).entry.step).toBe('nothing');
});
