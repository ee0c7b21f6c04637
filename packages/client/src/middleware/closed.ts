/** When a response is over: sent as a whole, or its connection is gone. */
import type { ServerResponse } from 'node:http';

export function closed(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    if (response.destroyed || response.closed) resolve();
    else response.once('close', () => resolve());
  });
}
