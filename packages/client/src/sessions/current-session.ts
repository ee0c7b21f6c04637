/** Which session the running code belongs to: by AsyncLocalStorage, so that nobody has to hand it on. */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { Session } from './session.ts';

export class CurrentSession {
  readonly #storage = new AsyncLocalStorage<Session>();

  get(): Session | undefined {
    return this.#storage.getStore();
  }

  run<T>(session: Session, work: () => T): T {
    return this.#storage.run(session, work);
  }
}
