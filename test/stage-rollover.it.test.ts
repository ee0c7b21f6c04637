/**
 * The authority's own life on a stage, under load: its issuing part is renewed, and then another root takes the place of its own, with
 * no failed transaction. Played with `TEST_LONG=1`.
 */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { rootOf } from '../src/pki/trust-statement.ts';
import { certificatesOf } from '../src/stage/certificates.ts';
import { applicationFiles } from '../src/stage/record.ts';
import { type TestStage, withStage } from './fixtures/stage.ts';
import { startStageLoad } from './fixtures/stage-load.ts';

const authorityFile = ({ record }: TestStage, name: string) => join(record.root, 'ca', name);
const pemIn = (path: string) => readFileSync(path, 'utf8');
const countIn = (path: string) => pemIn(path).split('BEGIN CERTIFICATE').length - 1;

async function renewsItsIssuingAuthority(stage: TestStage): Promise<void> {
  const file = authorityFile(stage, 'issuing.crt');
  const former = new X509Certificate(pemIn(file)).serialNumber;
  const renewed = await stage.cli('ca', 'renew', '--json');
  expect(renewed).toMatchObject({ code: 0 });
  const databases = stage.record.nodes.filter(({ role }) => role === 'database').map(({ name }) => name);
  expect(JSON.parse(renewed.stdout)).toMatchObject({ sealedTo: databases, refused: [] });
  expect(new X509Certificate(pemIn(file)).serialNumber).not.toBe(former);
  expect(await stage.cli('ca', 'status')).toMatchObject({ code: 0 });
  const status = await stage.status();
  expect(status.authority?.map(({ part }) => part)).toEqual(['root', 'issuing']);
}

async function tellsOfCertificatesOfOthers(stage: TestStage): Promise<void> {
  const file = authorityFile(stage, 'root.crt');
  expect(await stage.cli('certificates', 'register', file, '--name', 'partner')).toMatchObject({ code: 0 });
  expect((await stage.cli('certificates')).stdout).toMatch(/^good +registered +partner/m);
  expect(await stage.cli('certificates', 'forget', 'partner')).toMatchObject({ code: 0 });
  expect((await stage.cli('certificates')).stdout).not.toContain('partner');
}

/** Every certificate of a node, and of whoever asks. */
function chainsOf({ record }: TestStage): readonly string[] {
  const ofNodes = record.nodes.flatMap(({ name, role }) => {
    const { node, sealing, storeClient, storeServer } = certificatesOf(record, name);
    const ofStore = role === 'app' ? [] : [storeClient, ...(record.storeMembers.includes(name) ? [storeServer] : [])];
    return [node, sealing, ...ofStore].map(({ certificate }) => certificate);
  });
  return [...ofNodes, join(record.root, 'operator', 'operator.crt'), join(record.root, 'viewer', 'viewer.crt')];
}

const isLong = process.env.TEST_LONG === '1';

it.runIf(isLong)('is renewed and replaced while writers go on', { timeout: 300_000 }, async () => {
  await withStage({ nodes: 2, appNodes: 1 }, async (stage) => {
    await stage.untilWhole();
    const { record } = stage;
    const formerRoot = pemIn(authorityFile(stage, 'root.crt'));
    const { judged, load, untilCommitted } = await startStageLoad(stage, { writers: 4 });
    await renewsItsIssuingAuthority(stage);
    await tellsOfCertificatesOfOthers(stage);
    expect(await stage.cli('ca', 'rollover', '--finish')).toMatchObject({ code: 3 });
    expect(await stage.cli('ca', 'rollover')).toMatchObject({ code: 0 });
    expect(await stage.cli('ca', 'status')).toMatchObject({ code: 1, stdout: expect.stringContaining('rollover') });
    const roots = record.nodes.map(({ name }) => certificatesOf(record, name).node.ca);
    expect(roots.map(countIn)).toEqual(roots.map(() => 2));
    const nextRoot = pemIn(authorityFile(stage, 'next/root.crt'));
    for (const chain of chainsOf(stage)) expect([chain, rootOf(pemIn(chain), nextRoot)]).not.toContain(null);
    await untilCommitted(50);
    expect(await stage.cli('ca', 'rollover', '--finish')).toMatchObject({ code: 0 });
    const app = record.nodes.find(({ role }) => role === 'app')?.name ?? '';
    const files = [...roots, join(applicationFiles(record, app), 'shop', 'ca.crt')];
    expect(files.map((path) => rootOf(nextRoot, pemIn(path)))).not.toContain(null);
    expect(files.map((path) => rootOf(formerRoot, pemIn(path)))).toEqual(files.map(() => null));
    await untilCommitted(50);
    expect(await stage.cli('switchover')).toMatchObject({ code: 0 });
    await untilCommitted(50);
    await load.stop();
    const { verdict } = await judged();
    expect(verdict.outcome).toBe('sound');
    for (const { failed, unknown } of verdict.workloads) expect([failed, unknown]).toEqual([0, 0]);
    expect(await stage.cli('ca', 'status')).toMatchObject({ code: 0 });
    await stage.untilWhole();
  });
});
