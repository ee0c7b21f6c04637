/** `npx tsx examples/app/main.ts web | worker | build NAME`. */
import { build } from './build-job.ts';
import { openPool, schema } from './pool.ts';
import { webServer } from './web.ts';
import { doOneJob } from './worker.ts';

const [what, name = 'nightly'] = process.argv.slice(2);
const db = openPool();
db.onMode(({ mode, because }) => console.error(`the database is ${mode}: ${because}`));
await db.query(schema);
await db.query(db.outcomeTable.create);

if (what === 'web') {
  const server = webServer(db, process.env.COOKIE_SECRET ?? 'a secret for this example');
  server.listen(Number(process.env.PORT ?? 8080), '127.0.0.1', () => console.error('http://127.0.0.1:8080/'));
} else if (what === 'worker') {
  while (await doOneJob(db)) console.error('did a job');
  await db.end();
} else if (what === 'build') {
  process.exitCode = await build(db, name, ['fetched', 'compiled', 'tested']);
  await db.end();
} else {
  console.error('main.ts web | worker | build NAME');
  process.exitCode = 2;
  await db.end();
}
