/** A load in a thread of its own, so that neither it nor what is measured holds up the other's clock. */
import { once } from 'node:events';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { z } from 'zod';
import { type Load, type LoadAccount, type LoadOptions, startLoad } from './load.ts';

export interface ThreadLoad {
  acknowledged(): Promise<number>;
  stop(): Promise<LoadAccount>;
}

/** What of pg's options can be handed to a thread. */
const connect = z.object({
  host: z.string(),
  port: z.number(),
  user: z.string(),
  database: z.string(),
  password: z.string().optional(),
});

const options = z.object({
  connect,
  writers: z.number(),
  run: z.string(),
  table: z.string(),
  thinkMs: z.number().default(0),
  commit: z.enum(['local', 'on']).nullable().default(null),
}) satisfies z.ZodType<LoadOptions>;

const account = z.object({
  run: z.string(),
  table: z.string(),
  highest: z.array(z.number()),
  failures: z.array(
    z.object({
      writer: z.number(),
      number: z.number(),
      outcome: z.enum(['failed', 'unknown']),
      because: z.string(),
      atMs: z.number(),
    }),
  ),
  acknowledgedAtMs: z.array(z.array(z.number())),
}) satisfies z.ZodType<LoadAccount>;

/** Threads of Node 20 do not inherit the loader that reads TypeScript. */
const bootstrap = `import('tsx/esm/api').then(({ register }) => {
  register();
  return import(${JSON.stringify(import.meta.url)});
})`;

export function startLoadThread(wanted: z.input<typeof options>): ThreadLoad {
  const worker = new Worker(bootstrap, { eval: true, workerData: options.parse(wanted) });
  // Told by the question under way.
  worker.on('error', () => undefined);
  const ask = async (what: 'count' | 'stop'): Promise<unknown> => {
    worker.postMessage(what);
    const message: readonly unknown[] = await once(worker, 'message');
    return message[0];
  };
  return {
    acknowledged: async () => z.number().parse(await ask('count')),
    async stop() {
      try {
        return account.parse(await ask('stop'));
      } finally {
        await worker.terminate();
      }
    },
  };
}

async function answer(load: Load, what: 'count' | 'stop'): Promise<void> {
  parentPort?.postMessage(what === 'count' ? load.acknowledged() : await load.stop());
}

function serve(load: Load): void {
  parentPort?.on('message', (what: 'count' | 'stop') => void answer(load, what));
}

if (!isMainThread) serve(startLoad(options.parse(workerData)));
