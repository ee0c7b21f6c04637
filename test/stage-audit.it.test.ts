/**
 * The audit logs of a whole cluster: what people and agents do is in them, a viewer may read them and order nothing, and
 * whoever changes one, in whatever way, is found out.
 */
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { fileNameOf } from '../src/audit/files.ts';
import { beginning, chain, parseLine } from '../src/audit/line.ts';
import { clusterFile, nodeDirectory } from '../src/stage/record.ts';
import { type TestStage, withStage } from './fixtures/stage.ts';

const report = z.object({
  verdict: z.string(),
  nodes: z.array(
    z.object({
      node: z.string(),
      verdict: z.string(),
      lines: z.number(),
      findings: z.array(
        z.object({
          what: z.string(),
          file: z.string().nullable(),
          line: z.number().nullable(),
          sequence: z.number().nullable(),
        }),
      ),
    }),
  ),
});

const logFile = (stage: TestStage, node: string): string =>
  join(nodeDirectory(stage.record, node), 'state', 'audit', fileNameOf(1));
const linesIn = (path: string): readonly string[] => readFileSync(path, 'utf8').split('\n').slice(0, -1);

async function verify(stage: TestStage) {
  const { code, stdout } = await stage.cli('audit', 'verify', '--json');
  return { code, report: report.parse(JSON.parse(stdout)) };
}

/** Anchors follow within some seconds. */
async function untilSaid(stage: TestStage, what: string, holds: (text: string) => boolean): Promise<void> {
  const end = performance.now() + 30_000;
  for (;;) {
    const { stdout } = await stage.cli('audit', '--json');
    if (holds(stdout)) return;
    if (performance.now() > end) throw new Error(`not within 30 s: ${what}`);
  }
}

/** What was cut off before it was anchored is nobody's to miss. */
async function untilAnchored(stage: TestStage, node: string): Promise<void> {
  const lines = linesIn(logFile(stage, node)).length;
  const agent = await stage.client('db1');
  const end = performance.now() + 30_000;
  try {
    while (!(await agent.auditAnchors()).some((anchor) => anchor.node === node && anchor.sequence >= lines))
      if (performance.now() > end) throw new Error(`the log of ${node} was not anchored within 30 s`);
  } finally {
    agent.close();
  }
}

/** Ends the agent's process; the stage starts another. */
async function restartAgent(stage: TestStage, node: string): Promise<void> {
  const [before] = stage.processes('agent', node);
  stage.signal('agent', node, 'SIGKILL');
  await stage.until(`another agent on ${node}`, () =>
    stage.processes('agent', node).some(({ pid }) => pid !== before?.pid),
  );
  const agent = await stage.client(node);
  const end = performance.now() + 30_000;
  const answers = () =>
    agent.health().then(
      () => true,
      () => false,
    );
  while (!(await answers())) if (performance.now() > end) throw new Error(`${node} did not answer within 30 s`);
  agent.close();
}

/** Every line anew, with a right chain, and another name in it. */
function forge(path: string): string {
  let head = beginning;
  let text = '';
  for (const written of linesIn(path)) {
    const line = parseLine(written);
    if (line === null) throw new Error('the log has a line that is none');
    const who = line.who === null ? null : { ...line.who, as: 'operator/mallory' };
    const next = chain(head, { at: line.at, node: line.node, kind: 'login', who, facts: line.facts });
    text += `${next.text}\n`;
    head = next.head;
  }
  return text;
}

test.runIf(process.env.TEST_LONG === '1')(
  'audit logs hold what was done, and changes to them are found out',
  { timeout: 400_000 },
  async () => {
    await withStage({ nodes: 3, appNodes: 1 }, async (stage) => {
      await stage.untilWhole();
      expect(await stage.cli('switchover', '--to', 'db2')).toMatchObject({ code: 0 });
      const file = clusterFile(stage.record);
      writeFileSync(file, `${readFileSync(file, 'utf8')}\ncontact: ops@example.org\n`);
      expect(await stage.cli('apply', file)).toMatchObject({ code: 0 });
      await stage.untilWhole();

      expect(await stage.cli('--context', 'viewer', 'status')).toMatchObject({ code: 0 });
      const refused = await stage.cli('--context', 'viewer', 'switchover', '--to', 'db1');
      expect(refused).toMatchObject({ code: 3 });
      expect(refused.stderr).toContain('it takes the role operator');
      expect(refused.stderr).toContain('--context');

      await untilSaid(stage, 'the log of the app node is known', (text) =>
        /"anchor.seen".*"of":"web1"|"anchor.seen".*"of":"app1"/.test(text),
      );
      const shown = await stage.cli('--context', 'viewer', 'audit');
      expect(shown).toMatchObject({ code: 0 });
      for (const said of [
        'logged in',
        'ordered a switchover to db2',
        'ordered to apply a spec',
        'accepts writes',
        'viewer/',
      ])
        expect(shown.stdout).toContain(said);
      expect(shown.stdout).toMatch(/was refused POST \/v1\/switchover: a viewer may not call/);
      expect(shown.stdout).toMatch(/the order of line \d+: started/);
      const intact = await verify(stage);
      expect(intact, JSON.stringify(intact.report)).toMatchObject({ code: 0, report: { verdict: 'intact' } });
      expect(intact.report.nodes).toHaveLength(4);
      for (const { lines } of intact.report.nodes) expect(lines).toBeGreaterThan(1);
      expect(statSync(logFile(stage, 'db1')).mode & 0o777).toBe(0o600);

      // One character in the middle, while the agent runs.
      const path = logFile(stage, 'db1');
      const text = readFileSync(path, 'utf8');
      const place = text.indexOf('\n') - 10;
      writeFileSync(path, `${text.slice(0, place)}${text[place] === '0' ? '1' : '0'}${text.slice(place + 1)}`);
      // The end of another, cut off before its agent starts again.
      await untilAnchored(stage, 'db2');
      const lines = linesIn(logFile(stage, 'db2'));
      writeFileSync(logFile(stage, 'db2'), `${lines.slice(0, -4).join('\n')}\n`);
      await restartAgent(stage, 'db2');
      // All of a third, written anew with a right chain.
      await untilAnchored(stage, 'db3');
      writeFileSync(logFile(stage, 'db3'), forge(logFile(stage, 'db3')));
      await restartAgent(stage, 'db3');
      // And the app node's, taken away.
      const app = stage.record.nodes.find(({ role }) => role === 'app')?.name ?? '';
      rmSync(logFile(stage, app));

      await stage.untilWhole();
      const found = await verify(stage);
      expect(found, JSON.stringify(found.report)).toMatchObject({ code: 1, report: { verdict: 'tampered' } });
      const of = (node: string) => found.report.nodes.find((one) => one.node === node)?.findings ?? [];
      expect(of('db1')).toContainEqual(
        expect.objectContaining({ what: 'changed', file: fileNameOf(1), line: 2, sequence: 2 }),
      );
      expect(['cut', 'replaced']).toContain(of('db2')[0]?.what);
      expect(of('db3').map(({ what }) => what)).toContain('replaced');
      expect(['removed', 'missing', 'cut']).toContain(of(app)[0]?.what);
      const told = await stage.cli('audit', 'verify');
      expect(told).toMatchObject({ code: 1 });
      expect(told.stdout).toContain('000000000001.jsonl line 2, sequence 2');
      await untilSaid(stage, 'the agents notice it by themselves', (said) => said.includes('"anchor.unmet"'));
      expect((await stage.cli('events')).stdout).toContain('understudy audit verify');

      // Who is silent is no liar.
      stage.signal('agent', 'db3', 'SIGSTOP');
      const silent = await verify(stage);
      stage.signal('agent', 'db3', 'SIGCONT');
      expect(silent.report.nodes.find(({ node }) => node === 'db3')).toMatchObject({ verdict: 'silent' });
      await stage.untilWhole();

      // Somebody knows why, and says so.
      expect(await stage.cli('--context', 'viewer', 'audit', 'accept', 'db1', '--yes')).toMatchObject({ code: 3 });
      for (const node of ['db1', 'db2', 'db3', app]) {
        const accepted = await stage.cli('audit', 'accept', node, '--yes');
        expect(accepted, accepted.stdout).toMatchObject({ code: 0 });
      }
      const after = await verify(stage);
      expect(after, JSON.stringify(after.report)).toMatchObject({ code: 0, report: { verdict: 'intact' } });
    });
  },
);
