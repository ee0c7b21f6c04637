/**
 * Carries out `stage load`: a load on the stage of this directory, and its verdict.
 *
 * Invariant: exit code 0 means that everything was read and nothing contradicts what was promised. Ctrl-C never ends a
 * load without its verdict once the first row was written.
 */
import { exitCodes } from '../errors/exit-codes.ts';
import { type LoadProgress, type LoadReport, type RunOptions, runLoad } from '../load/run.ts';
import { stageDatabaseNodes, stageTargets } from '../stage/load-access.ts';
import { requireStage } from '../stage/record.ts';
import type { Call } from './call.ts';
import { LoadProgressLine } from './load-progress.ts';
import { loadLines } from './load-text.ts';
import type { LoadOptions } from './stage-load.ts';

export async function loadStage(call: Call, options: LoadOptions): Promise<number> {
  const { io, terminal } = call;
  const record = requireStage(io.cwd);
  const targets = stageTargets(record, options.app);
  const report = await run(call, {
    targets,
    nodes: stageDatabaseNodes(record),
    workloads: options.workload,
    writers: options.writers,
    commit: options.commit === 'replicated' ? 'on' : 'local',
    perSecond: options.rate ?? null,
    forMs: options.for,
  });
  if (terminal.json) terminal.printJson(report);
  else terminal.print(...loadLines(report, terminal.paint));
  return report.verdict.outcome === 'sound' ? exitCodes.done : exitCodes.failed;
}

async function run(call: Call, options: RunOptions): Promise<LoadReport> {
  const { terminal } = call;
  const progress = new LoadProgressLine(terminal);
  const ending = new AbortController();
  const hurry = new AbortController();
  let stage: LoadProgress['stage'] | null = null;
  const interrupt = (): void => {
    progress.close();
    const isFirst = stage === 'writing' && !ending.signal.aborted;
    terminal.note(
      isFirst ? 'ending the load; Ctrl-C again reads the nodes as they are' : 'reading the nodes as they are',
    );
    (isFirst ? ending : hurry).abort(new Error('interrupted'));
  };
  try {
    return await runLoad({
      ...options,
      // Before the first row there is nothing to judge.
      signal: call.signal,
      ending: ending.signal,
      hurry: hurry.signal,
      report(now) {
        if (stage === null) call.takeInterrupts(interrupt);
        stage = now.stage;
        progress.show(now);
      },
    });
  } finally {
    progress.close();
  }
}
