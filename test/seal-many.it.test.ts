import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { expect, it } from 'vitest';

/** With keys as Node hands them out, most processes hang within 30,000 (see signing-request.ts): a short run shows little. */
const times = process.env.TEST_LONG === '1' ? 100_000 : 1_000;

it('seals however often without the process hanging', { timeout: 300_000 }, async () => {
  const program = new URL('fixtures/seal-many.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, ['--max-semi-space-size=1', '--import', 'tsx', program, String(times)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: 280_000,
    killSignal: 'SIGKILL',
  });
  const [said] = await Promise.all([text(child.stdout), once(child, 'close')]);
  expect(said).toBe('done\n');
});
