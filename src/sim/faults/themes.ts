/**
 * Kinds of fault that belong together: a world that knows only these gets deeper into one kind of trouble than one that
 * knows everything.
 */
import type { FaultKind } from './catalogue.ts';

export const themes: readonly (readonly FaultKind[])[] = [
  [
    'cut-from-store',
    'store-answers-late',
    'store-slow',
    'store-late',
    'watch-silent',
    'agent-frozen',
    'fence-killed',
    'store-answer-lost',
  ],
  ['cut-from-store', 'store-gone', 'watch-silent', 'cut-from-peers', 'cut-from-one', 'cut-inwards', 'agent-killed'],
  [
    'agent-frozen',
    'store-answers-late',
    'host-suspended',
    'store-late',
    'fence-killed',
    'cut-outwards',
    'cut-from-all',
  ],
  [
    'host-crashed',
    'agent-frozen',
    'store-late',
    'cut-from-store',
    'store-answer-lost',
    'server-killed',
    'watch-silent',
  ],
  ['cut-from-store', 'store-gone', 'agent-frozen', 'store-answers-late'],
  ['host-crashed', 'replay-slow', 'replay-paused', 'disk-slow', 'cut-from-one', 'server-killed', 'cut-from-peers'],
  ['host-crashed', 'server-killed', 'promotion-fails', 'start-fails', 'agent-killed', 'cut-from-one', 'watch-silent'],
  [
    'stop-hangs',
    'promotion-fails',
    'store-late',
    'agent-killed',
    'cut-from-store',
    'pooler-agent-frozen',
    'host-crashed',
  ],
  [
    'pooler-killed',
    'pooler-agent-killed',
    'pooler-agent-frozen',
    'app-host-crashed',
    'app-cut-from-one',
    'agent-frozen',
  ],
];
