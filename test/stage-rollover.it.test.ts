/** The authority's own life on a stage: its issuing part is renewed, with nothing restarted. */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { type TestStage, withStage } from './fixtures/stage.ts';

const issuingFile = ({ record }: TestStage) => join(record.root, 'ca', 'issuing.crt');
const serialOf = (file: string) => new X509Certificate(readFileSync(file)).serialNumber;

async function renewsItsIssuingAuthority(stage: TestStage): Promise<void> {
  const former = serialOf(issuingFile(stage));
  const renewed = await stage.cli('ca', 'renew', '--json');
  expect(renewed).toMatchObject({ code: 0 });
  expect(JSON.parse(renewed.stdout)).toMatchObject({
    sealedTo: stage.record.nodes.filter(({ role }) => role === 'database').map(({ name }) => name),
    refused: [],
  });
  expect(serialOf(issuingFile(stage))).not.toBe(former);
  expect(await stage.cli('ca', 'status')).toMatchObject({ code: 0 });
  const status = await stage.status();
  expect(status.authority?.map(({ part }) => part)).toEqual(['root', 'issuing']);
}

it('is renewed while the cluster runs', { timeout: 120_000 }, async () => {
  await withStage({ nodes: 2, appNodes: 1 }, async (stage) => {
    await stage.untilWhole();
    await renewsItsIssuingAuthority(stage);
  });
});
