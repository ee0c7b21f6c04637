/** A load in a thread of its own, so that neither it nor what is measured holds up the other's clock. */
import { once } from 'node:events';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { type Load, type LoadAccount, type LoadOptions, startLoad } from './load.ts';

export interface ThreadLoad {
  acknowledged(): Promise<number>;
  stop(): Promise<LoadAccount>;
}

export function startLoadThread(options: LoadOptions): ThreadLoad {
  const worker = new Worker(new URL(import.meta.url), { workerData: options });
  const ask = async (what: 'count' | 'stop'): Promise<unknown> => {
    worker.postMessage(what);
    const [answer]: unknown[] = await once(worker, 'message');
    return answer;
  };
  return {
    acknowledged: async () => Number(await ask('count')),
    async stop() {
      const account = await ask('stop');
      await worker.terminate();
      return account as LoadAccount;
    },
  };
}

function serve(load: Load): void {
  parentPort?.on('message', (what: 'count' | 'stop') => {
    if (what === 'count') parentPort?.postMessage(load.acknowledged());
    else void load.stop().then((account) => parentPort?.postMessage(account));
  });
}

if (!isMainThread) serve(startLoad(workerData as LoadOptions));
