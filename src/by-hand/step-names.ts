/** The steps by which people run a cluster without its store, in order; a word each, since people type them. */
export const stepNames = ['stop', 'choose', 'promote', 'poolers', 'store', 'return'] as const;
export type StepName = (typeof stepNames)[number];
