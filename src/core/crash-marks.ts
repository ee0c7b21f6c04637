/** The crashes of this node's primary, oldest first, in boottime ms; and the primary that runs, if one does. */
export interface CrashMarks {
  readonly running: number | null;
  readonly at: readonly number[];
}

export const noCrashes: CrashMarks = { running: null, at: [] };
