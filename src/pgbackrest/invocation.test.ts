import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createInvoker } from './invocation.ts';
import { Looking } from './looking.ts';

let directory: string;
let program: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'understudy-invocation-'));
  program = join(directory, 'program');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** Whatever it is asked for, it says a list with nothing in it but room. */
function says(bytes: number): void {
  writeFileSync(program, `#!/bin/sh\nprintf '['; head -c ${bytes} /dev/zero | tr '\\0' ' '; printf ']'\n`);
  chmodSync(program, 0o755);
}

it('reads a long description of the repository from its beginning on', async () => {
  says(3_000_000);
  const invoker = createInvoker({ program, parentWatch: null, configuration: '/nowhere', stanza: 'psf-15' });
  const looking = new Looking(invoker, join(directory, 'data'));
  expect(await looking.contents({ withinMs: 10_000 })).toMatchObject({ state: 'empty', trouble: null });
});

it('says so when there is more than is kept, where all of it is wanted', async () => {
  says(9_000_000);
  const invoker = createInvoker({ program, parentWatch: null, configuration: '/nowhere', stanza: 'psf-15' });
  const asked = invoker.run('info', [], { withinMs: 10_000, wholeUpToBytes: 4_194_304 });
  await expect(asked).rejects.toThrow("pgbackrest info said more than 4 MB: it can't be read");
  expect(await invoker.run('info', [], { withinMs: 10_000 })).toMatchObject({ code: 0 });
});
