import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { StageUnderTest } from '/work/main/bench/stage-under-test.ts';
import { createLoadTable, longestGap, monotonicMs } from '/work/main/bench/load.ts';
import { startLoadThread } from '/work/main/bench/load-thread.ts';
await StageUnderTest.with({ nodes: 3, appNodes: 1 }, async (stage) => {
  console.log('up', Math.round(stage.upMs));
  const connect = stage.application();
  await createLoadTable(connect, 'load');
  const load = startLoadThread({ connect, writers: 8, run: 'x', table: 'load' });
  const w: any[] = [];
  for (let i = 0; i < 8; i++) {
    await delay(1500);
    const a = monotonicMs(); const wall = Date.now();
    const r = await stage.move();
    w.push({ a, b: monotonicMs(), wall, r });
    await stage.untilHealthy();
  }
  const acc = await load.stop();
  for (const { a, b, wall, r } of w) {
    console.log(r.from, r.to, 'gap', Math.round(longestGap(acc, a, b + 500)), 'pauseMs', Math.round(r.pauseMs), r.phases.map((p: any) => `${p.phase} ${Math.round(p.ms)}`).join(' '), 'cli', Math.round(b - a));
    for (const f of acc.failures.filter((f) => f.atMs >= a - 500 && f.atMs <= b + 2000)) console.log('   fail at +', Math.round(f.atMs - a), new Date(wall + f.atMs - a).toISOString(), f.outcome, f.because);
  }
  console.log(readFileSync(stage.record.root + '/app1/log/pgbouncer.log', 'utf8').split('\n').slice(-80).join('\n'));
});
