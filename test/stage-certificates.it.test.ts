/**
 * Certificates that live for two minutes, for ten minutes under load: all are replaced again and again, everybody takes them up,
 * every password is rotated between, the primary moves, and nothing fails. Played with `TEST_LONG=1`; one round of it is part of
 * stage-credentials.it.test.ts.
 */
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { expect, it } from 'vitest';
import { certificatesOf } from '../src/stage/certificates.ts';
import { stagePorts } from '../src/stage/network.ts';
import { clusterFile, nodeDirectory } from '../src/stage/record.ts';
import { serialOf, serialsOf, untilAllRenewed } from './fixtures/certificates.ts';
import { type TestStage, withStage } from './fixtures/stage.ts';
import { startStageLoad } from './fixtures/stage-load.ts';

/** What the agent's API shows whoever connects now. */
function shown({ record }: TestStage, name: string): Promise<string> {
  const node = record.nodes.find((one) => one.name === name);
  const host = node?.address ?? '';
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port: stagePorts.api, rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate().serialNumber);
      socket.destroy();
    });
    socket.on('error', reject);
  });
}

const isLong = process.env.TEST_LONG === '1';
const longMs = 600_000;

/** Everything is replaced again and again: each certificate after 80 s, every password between, and the primary moves. */
async function untilLongEnough(stage: TestStage): Promise<void> {
  const untilMs = performance.now() + longMs;
  for (let round = 1; performance.now() < untilMs; round += 1) {
    const before = serialsOf(stage);
    expect(await stage.cli('credentials', 'rotate')).toMatchObject({ code: 0 });
    // Once: the load stays with what it read at its beginning.
    if (round === 1) expect(await stage.cli('credentials', 'rotate', '--clients')).toMatchObject({ code: 0 });
    if (round % 3 === 2) expect(await stage.cli('switchover')).toMatchObject({ code: 0 });
    await untilAllRenewed(stage, before);
  }
}

it.runIf(isLong)(
  'are renewed everywhere with no failed transaction, a switchover meanwhile included',
  {
    timeout: 900_000,
  },
  async () => {
    await withStage({ nodes: 3, appNodes: 2 }, async (stage) => {
      await stage.untilWhole();
      const { record } = stage;
      const file = clusterFile(record);
      writeFileSync(file, readFileSync(file, 'utf8').replace('life: 7d', 'life: 2min'));
      const before = serialsOf(stage);
      const { load, untilCommitted, judged } = await startStageLoad(stage, { writers: 8 });
      expect((await stage.cli('apply', file)).code).toBe(0);
      await untilAllRenewed(stage, before);
      await untilLongEnough(stage);
      expect((await stage.cli('switchover')).code).toBe(0);
      await untilCommitted(200);
      await load.stop();
      const { verdict } = await judged();
      expect(verdict.outcome).toBe('sound');
      for (const { failed, unknown } of verdict.workloads) expect([failed, unknown]).toEqual([0, 0]);
      for (const { name } of record.nodes) {
        expect(await shown(stage, name)).toBe(serialOf(certificatesOf(record, name).node.certificate));
        expect(statSync(certificatesOf(record, name).node.key).mode & 0o777).toBe(0o600);
        expect(readFileSync(join(nodeDirectory(record, name), 'log', 'agent.log'), 'utf8')).not.toContain(
          'PRIVATE KEY',
        );
      }
      const listed = await stage.cli('certificates');
      expect(listed.stdout).toMatch(/^\d+ certificates\. .* None is late\.\n/);
    });
  },
);
